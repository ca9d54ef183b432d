#pragma once

#include "master/core/schedules.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace clusterd::test {

using core::Moment;
using core::schedule::Ended;
using core::schedule::Result;
using core::schedule::RunId;
using core::schedule::Tell;

constexpr ChildId worker(std::uint32_t number) { return {Role::worker, number}; }
constexpr ChildId kAgent{Role::agent, 7};

inline config::Schedule every(const std::string& name, Duration interval) {
  return {.name = name, .every = interval, .action = name};
}
inline config::Schedule by_cron(const std::string& name, const std::string& text) {
  return {.name = name,
          .cron = std::get<config::Cron>(config::parse_cron(text)),
          .cron_text = text,
          .action = name};
}

/// Schedules on a stage, where time is what the test says. What is told is queued at once, but for
/// those in `full`.
struct ScheduleStage {
  explicit ScheduleStage(
      const std::vector<config::Schedule>& all,
      core::ZoneOffset offset = [](core::WallSeconds) { return 0; })
      : core(all, std::move(offset)) {}

  void step(const core::schedule::Event& event) {
    std::vector<core::schedule::Event> next{event};
    while (!next.empty()) {
      const auto one = std::move(next.front());
      next.erase(next.begin());
      for (auto& action : core.step(now, one)) {
        if (const auto* tell = std::get_if<Tell>(&action)) {
          const bool fits = !full.contains(tell->child);
          if (fits) told.push_back(*tell);
          next.emplace_back(core::schedule::Queued{tell->run, tell->child, fits});
        } else if (const auto* ended = std::get_if<Ended>(&action)) {
          over.push_back(*ended);
        }
        actions.push_back(std::move(action));
      }
    }
  }

  /// So many workers that tell ends, from 1 on, and the beginning.
  void begin(std::uint32_t workers) {
    for (std::uint32_t number = 1; number <= workers; ++number) join(worker(number));
    step(core::schedule::Begin{});
  }
  void join(ChildId child, bool tells = true) {
    for (const auto& entry : core.entries()) {
      if (tells) step(core::schedule::Handles{child, entry.settings->name});
    }
    step(core::schedule::Joined{child});
  }
  void answer(const Tell& tell, const std::string& error = "") {
    step(core::schedule::Answered{tell.run, tell.child, error});
  }

  /// Both clocks go on; what is due on the way happens in its time.
  void pass(Duration time) {
    const TimePoint end = now.time + time;
    for (;;) {
      TimePoint next = end;
      if (const auto due = core.next_time()) next = std::min(next, *due);
      if (const auto wall = core.next_wall()) {
        const auto due = std::chrono::system_clock::time_point(std::chrono::seconds(*wall));
        next = std::min(next, now.time + std::chrono::ceil<Duration>(due - now.wall));
      }
      go_to(std::max(next, now.time));
      if (next >= end) break;
    }
  }
  void go_to(TimePoint time) {
    now.wall += time - now.time;
    now.time = time;
    step(core::schedule::TimePassed{});
  }

  [[nodiscard]] const core::Schedules::Entry& entry(std::size_t at = 0) const {
    return core.entries().at(at);
  }
  [[nodiscard]] std::vector<std::uint32_t> who() const {
    std::vector<std::uint32_t> all;
    for (const Tell& tell : told) all.push_back(tell.child.number);
    return all;
  }
  [[nodiscard]] std::size_t count(Result result) const {
    return static_cast<std::size_t>(std::count_if(
        over.begin(), over.end(), [&](const Ended& one) { return one.result == result; }));
  }

  core::Schedules core;
  Moment now{TimePoint(std::chrono::hours(24)),
             std::chrono::system_clock::time_point(std::chrono::seconds(1'790'000'000))};
  std::set<ChildId> full{};
  std::vector<Tell> told{};
  std::vector<Ended> over{};
  core::schedule::Actions actions{};
};

}  // namespace clusterd::test
