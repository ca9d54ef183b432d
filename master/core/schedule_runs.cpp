// One run, from its time to its end.
#include "master/core/schedules.h"

#include <algorithm>
#include <utility>

namespace clusterd::core {
namespace {

using namespace schedule;
using Target = config::Schedule::Target;
using Overlap = config::Schedule::Overlap;

/// What may run side by side of one schedule: else one that never ends would fill the memory.
constexpr std::size_t kMostAtOnce = 64;

}  // namespace

void Schedules::due(Step& step, Entry& entry) {
  if (std::string why = why_not_now(entry); !why.empty()) {
    return skip(step, entry, std::move(why));
  }
  const RunId id{next_run_++};
  if (entry.settings->overlap == Overlap::queue && !entry.running.empty()) {
    entry.queued = id;
  } else {
    start(step, entry, id);
  }
}

/// Empty if one more may begin, or wait.
std::string Schedules::why_not_now(const Entry& entry) const {
  if (entry.running.empty()) return "";
  switch (entry.settings->overlap) {
    case Overlap::skip:
      return "the run before is not over";
    case Overlap::queue:
      return entry.queued ? "the run before is not over, and another one waits" : "";
    case Overlap::allow:
      break;
  }
  if (entry.running.size() < kMostAtOnce) return "";
  return std::to_string(kMostAtOnce) + " runs are not over";
}

void Schedules::skip(Step& step, Entry& entry, std::string why) {
  ++entry.skipped;
  step.actions.emplace_back(Ended{.schedule = entry.settings,
                                  .result = Result::skipped,
                                  .error = std::move(why),
                                  .news = !std::exchange(entry.skips, true)});
}

void Schedules::start(Step& step, Entry& entry, RunId id) {
  entry.running.insert(id);
  Run& run = runs_[id];
  run.schedule = entry.settings;
  run.began = step.now.time;
  if (run.schedule->timeout > Duration::zero()) run.deadline = run.began + run.schedule->timeout;
  switch (run.schedule->target) {
    case Target::command:
      step.actions.emplace_back(RunCommand{id, run.schedule});
      return;
    case Target::agent: {
      const auto agents = ready(Role::agent);
      if (agents.empty()) run.error = "no agent program is ready";
      if (!agents.empty()) tell(step, id, run, agents.front());
      break;
    }
    case Target::one:
      tell_one(step, entry, id, run);
      break;
    case Target::all:
      tell_all(step, id, run);
      break;
  }
  end_if_over(step, id);
}

/// The next one in turn, of those that have not been tried.
void Schedules::tell_one(Step& step, Entry& entry, RunId id, Run& run) {
  std::vector<ChildId> workers = ready(Role::worker);
  std::erase_if(workers, [&](ChildId child) { return run.tried.contains(child); });
  if (workers.empty()) {
    run.error = run.tried.empty() ? "no worker is ready" : "too much waits for each worker";
    return;
  }
  const auto next = std::upper_bound(workers.begin(), workers.end(), entry.picked);
  entry.picked = next == workers.end() ? workers.front() : *next;
  tell(step, id, run, entry.picked);
}

void Schedules::tell_all(Step& step, RunId id, Run& run) {
  const auto workers = ready(Role::worker);
  if (workers.empty()) run.error = "no worker is ready";
  for (const ChildId worker : workers) tell(step, id, run, worker);
}

void Schedules::tell(Step& step, RunId id, Run& run, ChildId child) {
  ++run.receivers;
  run.first = child;
  run.asked.insert(child);
  const bool as_run = members_.at(child).handles.contains(run.schedule->name);
  step.actions.emplace_back(Tell{id, child, as_run, run.schedule});
}

void Schedules::failed(Run& run, ChildId child, const std::string& why) {
  ++run.failed;
  if (run.error.empty()) run.error = to_string(child) + ": " + why;
}

void Schedules::time_out(Step& step, RunId id, Run& run) {
  run.deadline.reset();
  if (run.schedule->target == Target::command) {
    run.error = "not over within its timeout, and killed";
    step.actions.emplace_back(EndCommand{id, true});
    return;
  }
  for (const ChildId child : std::exchange(run.owes, {})) {
    failed(run, child, "no answer within its timeout");
  }
  end(step, id);
}

void Schedules::end_if_over(Step& step, RunId id) {
  const Run& run = runs_.at(id);
  if (run.asked.empty() && run.owes.empty()) end(step, id);
}

void Schedules::end(Step& step, RunId id) {
  const auto node = runs_.extract(id);
  const Run& run = node.mapped();
  Ended ended{.run = id, .schedule = run.schedule, .result = Result::sent};
  if (run.answered) ended.result = Result::ok;
  if (!run.error.empty()) ended.result = Result::error;
  if (run.receivers == 1) ended.child = run.first;
  ended.receivers = run.receivers;
  ended.failed = run.failed;
  ended.error = run.error;
  ended.last_words = run.last_words;
  ended.took = step.now.time - run.began;
  Entry* entry = find(run.schedule->name);
  if (entry != nullptr && entry->running.erase(id) > 0) {
    ended.news = !entry->last || entry->last->result != ended.result;
    entry->skips = false;
    ++entry->runs;
    if (ended.result == Result::error) ++entry->failed;
    entry->last = {step.now.wall, ended.result, ended.took, ended.error};
  }
  step.actions.emplace_back(std::move(ended));
  if (entry == nullptr || stopped_ || !entry->running.empty()) return;
  if (const auto queued = std::exchange(entry->queued, std::nullopt)) {
    start(step, *entry, *queued);
  }
}

}  // namespace clusterd::core
