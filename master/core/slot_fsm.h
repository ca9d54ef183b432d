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
  given_up,     ///< too many have died: nobody is started until somebody says so
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
///
/// The child that holds the slot is its incumbent. One that goes of its own accord loses it when it
/// says so, not when it has gone. One that is to be replaced keeps it until its successor, the
/// challenger, is ready.
class SlotFsm {
 public:
  explicit SlotFsm(RestartDelay delay) : delay_(delay) {}

  /// Somebody is wanted here from now on.
  [[nodiscard]] SlotOrder open();
  /// Nobody is wanted here any more. A child that runs is not touched.
  void close();
  /// The child that spawn asked for was forked.
  void occupied(ChildId child);
  /// Its child has ended, unasked; `ready_for` is how long it had been ready, `spread` is
  /// RestartDelay's. A challenger takes its place at once; else the next waits for `at_most`.
  [[nodiscard]] SlotOrder vacated(TimePoint now, Duration ready_for, TimerId fresh,
                                  double spread = 0, Duration at_most = Duration::max());
  /// Its child has ended as it was asked to, or has said that it will go.
  [[nodiscard]] SlotOrder vacated_as_planned();
  [[nodiscard]] SlotOrder timer_fired(TimerId id);

  /// No other child is to be started, if it has none or waits for its next.
  void give_up();
  /// Another attempt now, if it was given up or waits for one.
  [[nodiscard]] SlotOrder try_again();

  /// A successor for its incumbent can be forked now.
  [[nodiscard]] bool may_be_challenged() const {
    return wanted_ && state_ == SlotState::running && incumbent_ && !challenger_ &&
           hold_ == TimerId{};
  }
  void challenged_by(ChildId child) { challenger_ = child; }
  /// The challenger is the incumbent now. Gives who was.
  ChildId promote();
  /// The challenger is not one any more, and nobody minds.
  void drop_challenger() { challenger_.reset(); }
  /// The challenger has died, unasked: the next one has to wait at least for `at_least`.
  [[nodiscard]] SlotOrder challenger_died(TimePoint now, Duration at_least, TimerId fresh,
                                          double spread = 0);

  /// No challenger waits for what became of the last.
  void may_try_at_once() { hold_ = {}; }

  /// Other delays, for the next deaths.
  void set_delay(Duration first, Duration max) { delay_.set(first, max); }

  [[nodiscard]] SlotState state() const { return state_; }
  [[nodiscard]] std::optional<ChildId> incumbent() const { return incumbent_; }
  [[nodiscard]] std::optional<ChildId> challenger() const { return challenger_; }
  /// Meaningful while backing_off.
  [[nodiscard]] TimePoint retry_at() const { return retry_at_; }
  /// Children that died unasked since the last that was healthy.
  [[nodiscard]] unsigned deaths() const { return delay_.deaths(); }

 private:
  [[nodiscard]] bool challenger_takes_over();

  RestartDelay delay_;
  SlotState state_ = SlotState::empty;
  bool wanted_ = false;
  std::optional<ChildId> incumbent_;
  std::optional<ChildId> challenger_;
  TimerId timer_{};
  TimerId hold_{};  ///< until then no challenger
  TimePoint retry_at_;
};

[[nodiscard]] const char* to_string(SlotState state);

}  // namespace clusterd::core
