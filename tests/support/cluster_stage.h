#pragma once

#include "master/core/cluster.h"
#include "tests/support/plans.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace clusterd::testing {

/// A cluster under virtual time, told what happens and telling in words what it does about it.
class Stage {
 public:
  explicit Stage(std::uint32_t workers) : Stage(plan_for(workers)) {}
  explicit Stage(const core::Plan& plan) : cluster_(plan) {}

  /// The actions in words; nothing for notes and timers.
  std::string tell(const core::Event& event);

  std::string hello(ChildId child);
  std::string ready(ChildId child);
  std::string hang_up(ChildId child);
  std::string die(ChildId child);
  std::string suicide(ChildId child);
  std::string hang(ChildId child);
  std::string bring_up(ChildId child);

  /// Time goes on, and each timer that comes due fires.
  std::string wait(Duration duration);

  [[nodiscard]] const core::Cluster& cluster() const { return cluster_; }
  /// Set once it finished.
  [[nodiscard]] const std::optional<core::Outcome>& outcome() const { return outcome_; }
  /// Of the last event.
  [[nodiscard]] core::Note note(core::Note::Kind kind) const;
  /// Called with each note from now on.
  void on_note(std::function<void(const core::Note&)> noted) { noted_ = std::move(noted); }

 private:
  core::Cluster cluster_;
  TimePoint now_{std::chrono::hours(1)};
  std::multimap<TimePoint, core::TimerId> timers_;
  std::optional<core::Outcome> outcome_;
  std::vector<core::Note> notes_;
  std::function<void(const core::Note&)> noted_;
};

[[nodiscard]] ChildId agent(std::uint32_t number);
[[nodiscard]] ChildId program(std::uint32_t number);
[[nodiscard]] ChildId worker(std::uint32_t number);

/// With an agent program, if the plan has one. Its workers are 1 to `workers`, in the slots from 0
/// on.
[[nodiscard]] Stage running(const core::Plan& plan);
[[nodiscard]] Stage running(std::uint32_t workers);

}  // namespace clusterd::testing
