#pragma once

#include "common/ids.h"
#include "master/core/child_fsm.h"
#include "master/core/restart_delay.h"

#include <optional>

namespace clusterd::core {

enum class SlotState : std::uint8_t {
  empty,        ///< nobody, and nobody is wanted
  running,      ///< a child holds it, in whatever state
  backing_off,  ///< its last child died; the next one starts when the delay is over
};

/// What the owner of the slot has to do.
struct SlotOrder {
  enum class Kind : std::uint8_t { nothing, spawn, set_timer };
  Kind kind = Kind::nothing;
  SetTimer timer;  ///< for set_timer

  friend bool operator==(const SlotOrder&, const SlotOrder&) = default;
};

/// One seat of the pool, or the agent's. The only place that decides that a child is started, for
/// whatever reason the last one left: there is one path from "nobody sits here" to "spawn".
class SlotFsm {
 public:
  explicit SlotFsm(RestartDelay delay) : delay_(delay) {}

  /// Somebody is wanted here from now on.
  [[nodiscard]] SlotOrder open();
  /// Nobody is wanted here any more. A child that runs is not touched.
  void close();
  /// The child that spawn asked for was forked.
  void occupied(ChildId child);
  /// Its child has ended, unasked; `ready_for` is how long it had been ready.
  [[nodiscard]] SlotOrder vacated(TimePoint now, Duration ready_for, TimerId fresh);
  /// Its child has ended as it was asked to.
  [[nodiscard]] SlotOrder vacated_as_planned();
  [[nodiscard]] SlotOrder timer_fired(TimerId id);

  [[nodiscard]] SlotState state() const { return state_; }
  [[nodiscard]] std::optional<ChildId> incumbent() const { return incumbent_; }
  /// Meaningful while backing_off.
  [[nodiscard]] TimePoint retry_at() const { return retry_at_; }
  /// Children that died unasked since the last that was healthy.
  [[nodiscard]] unsigned deaths() const { return delay_.deaths(); }

 private:
  RestartDelay delay_;
  SlotState state_ = SlotState::empty;
  bool wanted_ = false;
  std::optional<ChildId> incumbent_;
  TimerId timer_{};
  TimePoint retry_at_;
};

[[nodiscard]] const char* to_string(SlotState state);

}  // namespace clusterd::core
