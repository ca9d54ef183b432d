#include "master/core/schedules.h"

#include <algorithm>
#include <utility>

namespace clusterd::core {
namespace {

using namespace schedule;
using config::Schedule;
using Target = Schedule::Target;
using Overlap = Schedule::Overlap;

/// What one child may say that it handles.
constexpr std::size_t kMostHandled = config::kMostSchedules;
constexpr std::size_t kLongestName = 64;

bool same_times(const Schedule& a, const Schedule& b) {
  return a.every == b.every && a.cron == b.cron;
}

}  // namespace

Schedules::Schedules(const std::vector<Schedule>& schedules, ZoneOffset offset)
    : offset_(std::move(offset)) {
  for (const Schedule& each : schedules) {
    entries_.push_back({.settings = std::make_shared<const Schedule>(each)});
  }
}

Actions Schedules::step(const Moment& now, const Event& event) {
  Step step{now};
  std::visit([&](const auto& what) { on(step, what); }, event);
  tidy();
  return std::move(step.actions);
}

void Schedules::on(Step& step, const Begin&) {
  if (std::exchange(began_, true) || stopped_) return;
  for (Entry& entry : entries_) {
    entry.due.begin(step.now, *entry.settings, offset_);
    if (entry.settings->immediate) due(step, entry);
  }
}

void Schedules::on(Step& step, const TimePassed&) {
  for (Entry& entry : entries_) {
    if (entry.due.take(step.now, *entry.settings, offset_)) due(step, entry);
  }
  std::vector<RunId> late;
  for (const auto& [id, run] : runs_) {
    if (run.deadline && *run.deadline <= step.now.time) late.push_back(id);
  }
  for (const RunId id : late) time_out(step, id, runs_.at(id));
}

void Schedules::on(Step& step, const ClockSet&) {
  if (!began_ || stopped_) return;
  for (Entry& entry : entries_) {
    if (!entry.removed) entry.due.clock_set(step.now, *entry.settings, offset_);
  }
  on(step, TimePassed{});
}

void Schedules::on(Step&, const Joined& event) { members_[event.child].ready = true; }

void Schedules::on(Step&, const Left& event) {
  const auto found = members_.find(event.child);
  if (found != members_.end()) found->second.ready = false;
}

void Schedules::on(Step& step, const Gone& event) {
  members_.erase(event.child);
  std::vector<RunId> all;
  for (const auto& [id, run] : runs_) all.push_back(id);
  for (const RunId id : all) {
    Run& run = runs_.at(id);
    if (run.owes.erase(event.child) == 0) continue;
    failed(run, event.child, "ended before it was done");
    end_if_over(step, id);
  }
}

void Schedules::on(Step&, const Handles& event) {
  if (event.schedule.size() > kLongestName) return;  // no schedule is called so
  Member& member = members_[event.child];
  if (member.handles.size() < kMostHandled) member.handles.insert(event.schedule);
}

void Schedules::on(Step& step, const Queued& event) {
  const auto found = runs_.find(event.run);
  if (found == runs_.end() || found->second.asked.erase(event.child) == 0) return;
  Run& run = found->second;
  const auto member = members_.find(event.child);
  const bool tells =
      member != members_.end() && member->second.handles.contains(run.schedule->name);
  if (!event.queued) {
    run.tried.insert(event.child);
    if (run.schedule->target == Target::one) {
      --run.receivers;
      if (Entry* entry = find(run.schedule->name)) tell_one(step, *entry, event.run, run);
    } else {
      failed(run, event.child, "takes nothing: too much waits for it");
    }
  } else if (tells) {
    run.owes.insert(event.child);
  }
  end_if_over(step, event.run);
}

void Schedules::on(Step& step, const Answered& event) {
  const auto found = runs_.find(event.run);
  if (found == runs_.end() || found->second.owes.erase(event.child) == 0) return;  // late, or a lie
  Run& run = found->second;
  run.answered = true;
  if (!event.error.empty()) failed(run, event.child, event.error);
  end_if_over(step, event.run);
}

void Schedules::on(Step& step, const CommandEnded& event) {
  const auto found = runs_.find(event.run);
  if (found == runs_.end()) return;
  Run& run = found->second;
  run.answered = true;
  if (run.error.empty()) run.error = event.error;
  run.last_words = event.last_words;
  end(step, event.run);
}

std::string Schedules::names() const {
  std::string all;
  for (const Entry& entry : entries_) {
    if (!entry.removed) all += (all.empty() ? "there is \"" : ", \"") + entry.settings->name + '"';
  }
  return all.empty() ? "there is none" : all;
}

void Schedules::on(Step& step, const Requested& event) {
  Entry* entry = find(event.schedule);
  const auto refuse = [&](std::string why) {
    step.actions.emplace_back(Refused{event.ticket, std::move(why)});
  };
  if (entry == nullptr || entry->removed) {
    return refuse("there is no schedule \"" + event.schedule + "\"; " + names());
  }
  if (stopped_) return refuse("the cluster stops");
  if (std::string why = why_not_now(*entry); !why.empty()) return refuse(std::move(why));
  const RunId id{next_run_++};
  const bool waits = entry->settings->overlap == Overlap::queue && !entry->running.empty();
  step.actions.emplace_back(Accepted{event.ticket, id, waits});
  if (waits) {
    entry->queued = id;
  } else {
    start(step, *entry, id);
  }
}

/// A run that is under way goes on as it began; what is the same keeps its times and counts.
void Schedules::on(Step& step, const Replaced& event) {
  std::vector<Entry> next;
  std::vector<std::string> immediate;
  for (const Schedule& schedule : event.schedules) {
    Entry* old = find(schedule.name);
    const bool is_new = old == nullptr || old->removed;
    if (is_new && schedule.immediate) immediate.push_back(schedule.name);
    next.push_back(renewed(step, old, schedule));
  }
  for (Entry& entry : entries_) {
    if (!entry.settings) continue;
    drop_queued(step, entry, "the schedule is not in app.conf any more");
    if (entry.running.empty()) continue;
    entry.removed = true;
    entry.due.end();
    next.push_back(std::move(entry));
  }
  entries_ = std::move(next);
  if (!began_ || stopped_) return;
  for (const std::string& name : immediate) due(step, *find(name));
}

/// What `old` becomes, or a new one.
Schedules::Entry Schedules::renewed(const Step& step, Entry* old, const Schedule& schedule) {
  const bool same = old != nullptr && !old->removed && same_times(*old->settings, schedule);
  Entry entry = old == nullptr ? Entry{} : std::exchange(*old, Entry{});
  entry.settings = std::make_shared<const Schedule>(schedule);
  entry.removed = false;
  if (!began_ || stopped_) return entry;
  if (same) {
    entry.due.clock_set(step.now, schedule, offset_);  // of another zone, perhaps
  } else {
    entry.due.begin(step.now, schedule, offset_);
  }
  return entry;
}

void Schedules::on(Step& step, const Stop&) {
  if (std::exchange(stopped_, true)) return;
  for (Entry& entry : entries_) {
    entry.due.end();
    drop_queued(step, entry, "the cluster stops");
  }
  for (const auto& [id, run] : runs_) {
    if (run.schedule->target == Target::command) step.actions.emplace_back(EndCommand{id, false});
  }
}

void Schedules::drop_queued(Step& step, Entry& entry, std::string why) {
  const auto queued = std::exchange(entry.queued, std::nullopt);
  if (!queued) return;
  ++entry.skipped;
  step.actions.emplace_back(Ended{.run = *queued,
                                  .schedule = entry.settings,
                                  .result = Result::skipped,
                                  .error = std::move(why)});
}

std::optional<TimePoint> Schedules::next_time() const {
  std::optional<TimePoint> next;
  const auto add = [&](const std::optional<TimePoint>& time) {
    if (time && (!next || *time < *next)) next = time;
  };
  for (const Entry& entry : entries_) add(entry.due.time());
  for (const auto& [id, run] : runs_) add(run.deadline);
  return next;
}

std::optional<WallSeconds> Schedules::next_wall() const {
  std::optional<WallSeconds> next;
  for (const Entry& entry : entries_) {
    const auto& wall = entry.due.wall();
    if (wall && (!next || *wall < *next)) next = wall;
  }
  return next;
}

/// What nobody has any use for any more.
void Schedules::tidy() {
  std::erase_if(entries_,
                [](const Entry& entry) { return entry.removed && entry.running.empty(); });
}

Schedules::Entry* Schedules::find(std::string_view name) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.settings && entry.settings->name == name;
  });
  return found == entries_.end() ? nullptr : &*found;
}

std::vector<ChildId> Schedules::ready(Role role) const {
  std::vector<ChildId> all;
  for (const auto& [child, member] : members_) {
    const bool worker = child.role == Role::worker;
    if (member.ready && worker == (role == Role::worker)) all.push_back(child);
  }
  return all;
}

}  // namespace clusterd::core
