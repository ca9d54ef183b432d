#pragma once

#include "common/clock.h"
#include "common/ids.h"
#include "master/core/cluster_events.h"
#include "master/core/slot_fsm.h"

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace clusterd::core {

/// The whole cluster's life:
///
///     idle -> starting -> running -> stopping -> finished
///
/// starting: the agent first; when it is ready, all workers; when all are ready, running.
/// stopping: no more connections, workers drain, then the agent, then nothing is left.
/// Whatever a worker's reason to leave is, its slot decides what follows (slot_fsm.h).
enum class ClusterState : std::uint8_t { idle, starting, running, stopping, finished };

struct Plan {
  std::uint32_t workers = 1;
  Generation generation{1};
  ChildTimeouts worker;
  ChildTimeouts agent;
  RestartDelay restart_delay{Duration::zero(), Duration::zero()};
};

class Cluster {
 public:
  explicit Cluster(Plan plan);

  [[nodiscard]] Actions step(TimePoint now, const Event& event);

  struct Child {
    ChildFsm fsm;
    SlotId slot{};
    Generation generation{};
    TimePoint spawned_at;
    TimePoint ready_at;
    std::string why;  ///< of the last signal we sent it
  };

  [[nodiscard]] ClusterState state() const { return state_; }
  /// Of the workers that are started now.
  [[nodiscard]] Generation generation() const { return plan_.generation; }
  [[nodiscard]] const std::map<ChildId, Child>& children() const { return children_; }
  [[nodiscard]] const std::vector<SlotFsm>& slots() const { return slots_; }
  [[nodiscard]] const std::optional<LastExit>& last_exit(SlotId slot) const {
    return last_exits_[number_of(slot)];
  }
  [[nodiscard]] const SlotFsm& agent_slot() const { return agent_slot_; }
  /// Workers that are ready.
  [[nodiscard]] std::uint32_t ready() const;
  /// Starts beyond the first of each slot.
  [[nodiscard]] std::uint32_t restarts(SlotId slot) const {
    const std::uint32_t starts = starts_[number_of(slot)];
    return starts == 0 ? 0 : starts - 1;
  }
  [[nodiscard]] std::uint32_t agent_restarts() const {
    return next_agent_ <= 2 ? 0 : next_agent_ - 2;
  }

 private:
  struct Step;

  void on(Step& step, const Start&);
  void on(Step& step, const ChildHappened& event);
  void on(Step& step, const TimerFired& event);
  void on(Step& step, const StopRequested& event);

  void drive(Step& step, ChildId id, const ChildEvent& event);
  void translate(Step& step, ChildId id, const ChildActions& actions);
  void became_ready(Step& step, ChildId id);
  void gone(Step& step, ChildId id, const ChildGone& gone);
  void obey(Step& step, Role role, SlotId slot, const SlotOrder& order);
  void spawn(Step& step, Role role, SlotId slot);
  void stop(Step& step, Outcome outcome);
  void continue_start(Step& step);
  void continue_stop(Step& step);

  [[nodiscard]] SlotFsm& slot_of(Role role, SlotId slot);
  [[nodiscard]] bool any(Role role) const;
  [[nodiscard]] TimerId fresh_timer() { return TimerId{next_timer_++}; }

  Plan plan_;
  ClusterState state_ = ClusterState::idle;
  Outcome outcome_;
  SlotFsm agent_slot_;
  std::vector<SlotFsm> slots_;
  std::vector<std::uint32_t> starts_;
  std::vector<std::optional<LastExit>> last_exits_;
  std::map<ChildId, Child> children_;
  std::uint32_t next_worker_ = 1;
  std::uint32_t next_agent_ = 1;
  std::uint64_t next_timer_ = 1;
  TimePoint started_at_;
};

[[nodiscard]] const char* to_string(ClusterState state);

}  // namespace clusterd::core
