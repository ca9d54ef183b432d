#include "master/runtime/health.h"

#include "master/os/process_look.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using Verdict = core::Heartbeat::Verdict;

constexpr Duration kRecyclingPace = std::chrono::seconds(1);
constexpr Duration kRemindAfter = std::chrono::seconds(30);

/// The next of the points in time that lie a pace apart, so that all are looked at in one turn.
TimePoint next_recycling(TimePoint now) {
  return TimePoint((now.time_since_epoch() / kRecyclingPace + 1) * kRecyclingPace);
}

std::string in_words(Duration time) {
  const auto all = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  if (all % 1000 == 0) return std::to_string(all / 1000) + " s";
  return std::to_string(all) + " ms";
}

std::string last_deeds(const Health::Sample& sample, TimePoint now) {
  std::string text = "open connections " + std::to_string(sample.active) + ", requests answered " +
                     std::to_string(sample.requests);
  if (sample.took_at == TimePoint{}) return text;
  const auto ago = std::chrono::duration_cast<std::chrono::seconds>(now - sample.took_at);
  return text + ", last took a connection " + in_words(ago) + " ago";
}

}  // namespace

Health::Health(boost::asio::io_context& io, std::uint64_t seed, Events events)
    : timer_(io), random_(seed), events_(std::move(events)) {}

void Health::watch(ChildId child, const Terms& terms) {
  const core::Heartbeat loop(terms.heartbeat_timeout);
  Watched watched{terms, loop, {}, 0, core::RecycleRule(terms.recycle, core::share_of(random_()))};
  watched_.insert_or_assign(child, watched);
  set_beat(watched_.at(child));
  arm();
}

void Health::unwatch(ChildId child) {
  watched_.erase(child);
  arm();
}

void Health::said_watchdog(ChildId child) {
  const auto found = watched_.find(child);
  if (found == watched_.end()) return;
  Watched& watched = found->second;
  ++watched.watchdogs;
  if (watched.watchdog) return;
  watched.watchdog.emplace(watched.terms.heartbeat_timeout);
  set_beat(watched);
  arm();
}

void Health::said_trigger(ChildId child) {
  const auto found = watched_.find(child);
  if (found == watched_.end()) return;
  found_hung(child, found->second, "it said WATCHDOG=trigger");
  arm();
}

void Health::set_beat(Watched& watched) {
  watched.beats_at = TimePoint::max();
  if (watched.terms.heartbeat_timeout == Duration::zero()) return;
  const TimePoint now = Clock::now();
  if (watched.terms.counts_turns) watched.beats_at = watched.loop.next_tick(now);
  if (watched.watchdog)
    watched.beats_at = std::min(watched.beats_at, watched.watchdog->next_tick(now));
}

void Health::arm() {
  TimePoint next = TimePoint::max();
  for (const auto& [child, watched] : watched_) {
    next = std::min(next, watched.beats_at);
    if (watched.rule.any()) next = std::min(next, recycling_at_);
  }
  if (next == armed_for_) return;
  armed_for_ = next;
  if (next == TimePoint::max()) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(next);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    armed_for_.reset();
    look();
    arm();
  });
}

void Health::look() {
  const TimePoint now = Clock::now();
  const bool recycling = recycling_at_ <= now;
  if (recycling) recycling_at_ = next_recycling(now);
  // What is told of one may change who is watched.
  std::vector<ChildId> children;
  for (const auto& entry : watched_) children.push_back(entry.first);
  for (const ChildId child : children) {
    const auto found = watched_.find(child);
    if (found != watched_.end() && found->second.beats_at <= now) beat(child, found->second, now);
  }
  if (!recycling) return;
  for (const ChildId child : children) {
    const auto found = watched_.find(child);
    if (found != watched_.end()) check_recycling(child, found->second, now);
  }
}

/// Tells of one thing at most, and does not touch `watched` after it.
void Health::beat(ChildId child, Watched& watched, TimePoint now) {
  Verdict loop = Verdict::nothing;
  if (watched.terms.counts_turns) loop = watched.loop.tick(now, events_.sample(child).turns);
  const bool silent =
      watched.watchdog && watched.watchdog->tick(now, watched.watchdogs) == Verdict::hung;
  set_beat(watched);
  const std::string timeout = in_words(watched.terms.heartbeat_timeout);
  if (loop == Verdict::hung) {
    found_hung(child, watched, "its loop has not turned for " + timeout);
  } else if (silent) {
    found_hung(child, watched, "it has not said WATCHDOG=1 for " + timeout);
  } else if (loop == Verdict::ping) {
    events_.ping(child);
  }
}

void Health::found_hung(ChildId child, Watched& watched, std::string why) {
  const os::ProcessLook look = os::look_at(watched.terms.pid);
  if (look.traced()) {
    // Whoever looks at it with a debugger has stopped it on purpose.
    watched.loop.forgive();
    if (watched.watchdog) watched.watchdog->forgive();
    if (std::exchange(watched.told_traced, true)) return;
    why += ", but process " + std::to_string(*look.tracer) + " traces it";
    return events_.traced(child, std::move(why));
  }
  if (look.stopped()) why = "it is stopped (SIGSTOP), and " + why;
  std::string evidence =
      os::describe(look) + "\n" + last_deeds(events_.sample(child), Clock::now());
  watched_.erase(child);
  events_.hung(child, std::move(evidence), std::move(why));
}

void Health::check_recycling(ChildId child, Watched& watched, TimePoint now) {
  if (!watched.rule.any()) return;
  if (watched.recycle_told_at && now - *watched.recycle_told_at < kRemindAfter) return;
  core::RecycleSample sample{events_.sample(child).requests, std::nullopt};
  if (watched.rule.limits_memory()) sample.memory = os::resident_bytes(watched.terms.pid);
  auto why = watched.rule.due(sample, now - watched.terms.birth);
  if (!why) return;
  watched.recycle_told_at = now;
  events_.recycle(child, std::move(*why));
}

}  // namespace clusterd::runtime
