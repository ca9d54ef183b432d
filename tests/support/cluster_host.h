#pragma once

#include "master/core/cluster.h"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace clusterd::testing {

/// Carries out what a cluster orders, in memory and under a clock of its own, and throws a
/// Violation at the first order that breaks a promise. Copyable, for EveryOrder.
class ClusterHost {
 public:
  struct Held {
    SlotId slot{};
    Generation generation{};
    bool entered = false;
    bool in_rotation = false;
    bool killed = false;
  };

  explicit ClusterHost(const core::Plan& plan)
      : cluster(plan),
        surge(plan.surge),
        max_unavailable(plan.max_unavailable),
        program_was_ready(plan.program == 0) {}

  core::Cluster cluster;
  std::uint32_t surge;
  std::uint32_t max_unavailable;
  bool program_was_ready;  ///< or there was to be none
  TimePoint now{std::chrono::hours(1)};
  std::map<ChildId, Held> children;  ///< forked and not forgotten
  std::multimap<TimePoint, core::TimerId> timers;
  std::map<Role, std::uint32_t> spawned;
  std::vector<core::Note> notes;  ///< of the last event
  std::vector<ChildId> left;      ///< the rotation, in the last event
  bool rolling = false;
  bool committed = false;
  bool agent_was_ready = false;
  bool announced = false;
  bool stopping = false;
  std::optional<core::Outcome> outcome;

  core::Actions happens(const core::Event& event);
  core::Actions happens_to(ChildId child, core::ChildEvent event);
  core::Actions exits(ChildId child);

  /// A timer is never early, but may be late, and fire after a later one.
  core::Actions fire(std::multimap<TimePoint, core::TimerId>::iterator timer);
  /// The clock goes on to the earliest timer, which may be one that nobody awaits any more.
  core::Actions fire_earliest() { return fire(timers.begin()); }

  /// The child of this role that was forked last, if it is alive.
  [[nodiscard]] std::optional<ChildId> last_child(Role role) const;

  /// Once it stops, exits are all that it needs to finish, however they come.
  void must_finish_by_exits() const;

 private:
  void carry_out(const core::Spawn& order);
  void carry_out(const core::EnterRotation& order);
  void carry_out(const core::LeaveRotation& order);
  void carry_out(const core::SignalChild& order);
  void carry_out(const core::Forget& order);
  void carry_out(const core::SetTimer& order);
  void carry_out(const core::StopAccepting& order);
  void carry_out(const core::AnnounceReady& order);
  void carry_out(const core::RolloutCommitted& order);
  void carry_out(const core::RolloutEnded& order);
  void carry_out(const core::Finish& order);
  void carry_out(const core::Note& note);

  [[nodiscard]] Held& living(ChildId child);
  [[nodiscard]] bool is_forked(ChildId child) const;
  [[nodiscard]] std::size_t ready_workers() const;
  void judge() const;
  void judge_departures() const;
  void judge_budget() const;
  void judge_slot(const core::SlotFsm& slot, Role role, SlotId number, bool wanted) const;

  std::set<core::TimerId> used_timers_;
  std::set<ChildId> gone_;  ///< those of whom a note says so
};

}  // namespace clusterd::testing
