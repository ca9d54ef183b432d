#pragma once

#include "common/clock.h"
#include "common/ids.h"
#include "master/core/cluster_events.h"
#include "master/core/cluster_parts.h"
#include "master/core/cluster_state.h"
#include "master/core/rollout.h"
#include "master/core/slot_fsm.h"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace clusterd::core {

/// The whole cluster (its life is in cluster_state.h). Whatever a worker's reason to leave is, its
/// slot decides what follows (slot_fsm.h), and when a successor may be started beside it the budget
/// does (cluster_renewal.cpp).
class Cluster {
 public:
  explicit Cluster(Plan plan);

  [[nodiscard]] Actions step(TimePoint now, const Event& event);

  using Child = ClusterChild;
  [[nodiscard]] ClusterState state() const { return state_; }
  /// Of the workers that are started now.
  [[nodiscard]] Generation generation() const { return generation_; }
  [[nodiscard]] const std::map<ChildId, Child>& children() const { return children_; }
  /// Of the workers that are wanted, by number.
  [[nodiscard]] const std::vector<SlotFsm>& slots() const { return slots_; }
  [[nodiscard]] const std::optional<LastExit>& last_exit(SlotId slot) const;
  [[nodiscard]] const SlotFsm& agent_slot() const { return agent_; }
  [[nodiscard]] const SlotFsm& program_slot() const { return program_; }
  [[nodiscard]] bool has_program() const { return wanted_program() != 0; }
  /// How their deaths are counted, and whether there were too many.
  [[nodiscard]] const Pool& pool(Role role) const { return pools_.at(index(role)); }
  /// Workers that are ready, those that are about to be replaced too.
  [[nodiscard]] std::uint32_t ready() const;
  /// Starts beyond the first: of a slot, of which there may be none any more while its last worker
  /// leaves, or of the agent or its program.
  [[nodiscard]] std::uint32_t restarts(SlotId slot) const;
  [[nodiscard]] std::uint32_t restarts(Role role) const;
  /// What the next rollout brings.
  [[nodiscard]] Generation next_generation() const;
  /// The one that is under way.
  [[nodiscard]] const std::optional<Rollout>& rollout() const { return rollout_; }
  /// When the stop that was asked for begins; meaningful in delaying.
  [[nodiscard]] TimePoint stops_at() const { return stops_at_; }
  [[nodiscard]] bool can_roll_out() const { return state_ == ClusterState::running && !rollout_; }
  /// Every slot that it is to have has a child that is ready, if perhaps one about to be replaced.
  [[nodiscard]] bool at_strength(Role role) const;
  /// Every slot has a worker that is ready and not about to be replaced.
  [[nodiscard]] bool settled() const;

 private:
  struct Step;

  void on(Step& step, const Start&);
  void on(Step& step, const ChildHappened& event);
  void on(Step& step, const TimerFired& event);
  void on(Step& step, const StopRequested& event);
  void on(Step& step, const RolloutRequested& event);
  void on(Step& step, const ScaleRequested& event);
  void on(Step& step, const RecycleRequested& event);

  void drive(Step& step, ChildId id, const ChildEvent& event);
  void translate(Step& step, ChildId id, const ChildActions& actions);
  void signalled(Step& step, ChildId id, const SendSignal& signal);
  void became_ready(Step& step, ChildId id);
  void obey(Step& step, Role role, SlotId slot, const SlotOrder& order);
  ChildId fork(Step& step, Role role, SlotId slot, Generation generation);
  void stop(Step& step, Outcome outcome);
  void stop_later(Step& step, Duration delay);
  void continue_start(Step& step);
  void continue_stop(Step& step);
  [[nodiscard]] Note note_of(Note::Kind kind, ChildId id, std::string why = {}) const;
  [[nodiscard]] ChildId next_child(Role role) const { return {role, pool(role).next}; }
  [[nodiscard]] SlotFsm& slot_of(Role role, SlotId slot);
  [[nodiscard]] std::vector<SlotId> slots_of(Role role) const;
  [[nodiscard]] std::vector<ChildId> all(Role role) const;
  [[nodiscard]] Pool& pool_of(Role role) { return pools_.at(index(role)); }
  [[nodiscard]] double spread();
  [[nodiscard]] TimerId fresh_timer() { return TimerId{next_timer_++}; }

  // cluster_deaths.cpp
  void gone(Step& step, ChildId id, const ChildGone& gone);
  void left_slot(Step& step, ChildId id, const Child& child, const ChildGone& gone);
  void departs(Step& step, ChildId id, const Departs& departs);
  void replace_dead(Step& step, ChildId id, SlotId slot, const SlotOrder& order,
                    const Death& death);
  void challenger_died(Step& step, SlotId slot, const Death& death);
  void give_up(Step& step, ChildId id, SlotId slot, const Death& death);
  void probe_later(Step& step, Role role);
  void probe(Step& step, Role role);
  void recover(Step& step, ChildId by);
  void forget_giveup(Step& step);

  // cluster_renewal.cpp
  void renew(Step& step);
  void renew_one(Step& step, SlotId slot, RenewalBudget& budget);
  void fill(Step& step, SlotId slot);
  void challenge(Step& step, SlotId slot);
  void replace_before_ready(Step& step, SlotId slot);
  void promote(Step& step, SlotId slot);
  void ask_to_leave(Step& step, ChildId id, std::string because);
  void scale(Step& step, std::uint32_t workers);
  [[nodiscard]] bool needs_renewal(const SlotFsm& slot) const;
  [[nodiscard]] bool serves(TimePoint now, const SlotFsm& slot) const;
  [[nodiscard]] RenewalBudget renewal_budget(TimePoint now) const;
  [[nodiscard]] std::string why_replaced(ChildId id) const;

  void renew_program(Step& step);  // this and the next two: cluster_program.cpp
  [[nodiscard]] std::uint32_t wanted_program() const;
  [[nodiscard]] bool program_passed(TimePoint now) const;
  // cluster_rollout.cpp
  void adopt(const Plan& plan);
  void judge_rollout(Step& step);
  void end_rollout(Step& step);
  void fail_rollout(Step& step, RolloutEnded ended);
  void report_rollout(Step& step, RolloutEnded ended);
  void make_room_for_a_generation(Step& step);
  [[nodiscard]] RolloutEnded blame(ChildId id) const;
  [[nodiscard]] bool on_trial(TimePoint now, ChildId id) const;
  [[nodiscard]] Generation generation_to_spawn() const;

  Plan plan_;
  ClusterState state_ = ClusterState::idle;
  Outcome outcome_;
  std::array<Pool, 3> pools_;  ///< by role
  SlotFsm agent_;
  SlotFsm program_;
  std::vector<SlotFsm> slots_;
  std::vector<SlotRecord> records_;  ///< one a slot
  std::map<ChildId, Child> children_;
  Generation generation_{1};
  Generation last_generation_{1};
  std::optional<Rollout> rollout_;
  std::uint64_t random_;
  std::uint32_t last_program_ = 0;  ///< which one of Plan::program was forked last
  std::uint64_t next_timer_ = 1;
  TimePoint started_at_;
  TimePoint stops_at_;
  TimerId stop_timer_{};
};

}  // namespace clusterd::core
