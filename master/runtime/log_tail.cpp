#include "master/runtime/log_tail.h"

#include <algorithm>
#include <limits>
#include <string>
#include <unistd.h>
#include <utility>

namespace clusterd::runtime {
namespace {

constexpr std::size_t kMostKept = 256 * 1024;
/// Fewer than may wait at the control socket, so that they keep no other verb out.
constexpr std::size_t kMostFollowers = 6;
/// What one follower is given at once, less than may wait for it.
constexpr std::size_t kMostAtOnce = 256 * 1024;
constexpr auto kSoon = std::chrono::milliseconds(20);

std::optional<LogFilter> filter_of(const CheckedJson& request) {
  LogFilter filter;
  if (const auto slot = request.integer("slot")) {
    if (*slot < 0 || *slot > std::numeric_limits<std::int32_t>::max()) return std::nullopt;
    filter = {LogOrigin::Kind::worker, static_cast<std::uint32_t>(*slot)};
  }
  const auto from = request.string("from").value_or("");
  if (from == "master") filter.kind = LogOrigin::Kind::master;
  if (from == "agent") filter.kind = LogOrigin::Kind::agent;
  if (from == "program") filter.kind = LogOrigin::Kind::program;
  if (from == "schedule") filter.kind = LogOrigin::Kind::schedule;
  if (from == "worker") filter.kind = LogOrigin::Kind::worker;
  if (!from.empty() && !filter.kind) return std::nullopt;
  return filter;
}

}  // namespace

LogTail::LogTail(boost::asio::io_context& io)
    : ring_(kMostKept,
            [this](LogRing::Number first, std::uint64_t count, const LogOrigin& origin) {
              for (Follower& each : followers_) {
                if (!each.filter.fits(origin) || first + count <= each.at) continue;
                each.lost += first + count - std::max(first, each.at);
              }
            }),
      timer_(io) {
  log::on_line([this](auto when, std::string_view level, std::string_view text) {
    add(when, {LogOrigin::Kind::master, 0, ::getpid()}, {level}, std::string(text) + "\n");
  });
}

LogTail::~LogTail() { log::on_line(nullptr); }

void LogTail::printed(const LogOrigin& origin, log::Stream stream, std::string_view lines) {
  const LogLabel label{stream == log::Stream::out ? "stdout" : "stderr", true};
  add(std::chrono::system_clock::now(), origin, label, lines);
}

void LogTail::add(LogRing::When when, const LogOrigin& origin, LogLabel label,
                  std::string_view lines) {
  ring_.add(when, origin, label, lines);
  if (!followers_.empty()) pump_soon();
}

void LogTail::answer(const CheckedJson& request, const Reply& reply) {
  std::erase_if(followers_, [](const Follower& each) { return each.reply.gone(); });
  const auto filter = filter_of(request);
  if (!filter)
    return reply.refuse("whose lines are wanted: a slot, master, agent, program or schedule?");
  if (followers_.size() >= kMostFollowers) {
    return reply.refuse(std::to_string(followers_.size()) + " clients read the log already");
  }
  const auto count =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, request.integer("lines").value_or(0)));
  followers_.push_back({.reply = reply,
                        .filter = *filter,
                        .at = ring_.last(count, *filter),
                        .until = ring_.end(),
                        .follows = request.boolean("follow").value_or(false)});
  pump();
}

void LogTail::end() {
  for (Follower& each : followers_) {
    each.follows = false;
    each.until = ring_.end();
    if (!give(each)) each.reply.finish("{\"ok\":true}");
  }
  followers_.clear();
}

void LogTail::pump_soon() {
  if (std::exchange(timer_runs_, true)) return;
  timer_.expires_after(kSoon);
  timer_.async_wait([this](boost::system::error_code error) {
    timer_runs_ = false;
    if (!error) pump();
  });
}

void LogTail::pump() {
  bool more = false;
  for (Follower& each : followers_) {
    if (!give(each)) more = true;
  }
  std::erase_if(followers_, [](const Follower& each) { return each.reply.gone(); });
  if (more) pump_soon();
}

bool LogTail::give(Follower& follower) const {
  if (follower.reply.gone()) return true;
  if (!follower.reply.is_read()) return false;
  if (const std::uint64_t lost = std::exchange(follower.lost, 0); lost > 0) {
    JsonWriter json;
    follower.reply.line(json.begin_object().member("dropped", lost).end_object().take());
  }
  std::size_t bytes = 0;
  follower.at = ring_.read(follower.at, follower.filter, [&](std::string json) {
    bytes += json.size();
    follower.reply.line(std::move(json));
    return bytes < kMostAtOnce;
  });
  if (!follower.follows && follower.at >= follower.until) {
    follower.reply.finish("{\"ok\":true}");
    return true;
  }
  return follower.at >= ring_.end();
}

}  // namespace clusterd::runtime
