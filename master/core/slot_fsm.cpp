#include "master/core/slot_fsm.h"

#include <algorithm>
#include <utility>

namespace clusterd::core {

SlotOrder SlotFsm::open() {
  wanted_ = true;
  if (state_ != SlotState::empty) return {};
  state_ = SlotState::running;
  return {SlotOrder::Kind::spawn, {}};
}

void SlotFsm::close() {
  wanted_ = false;
  challenger_.reset();
  if (state_ == SlotState::running) return;
  state_ = SlotState::empty;
  timer_ = {};
}

void SlotFsm::occupied(ChildId child) { incumbent_ = child; }

SlotOrder SlotFsm::vacated(TimePoint now, Duration ready_for, TimerId fresh, double spread,
                           Duration at_most) {
  if (state_ != SlotState::running) return {};
  if (!wanted_) return vacated_as_planned();
  incumbent_.reset();
  const Duration delay = std::min(at_most, delay_.next(ready_for, spread));
  if (challenger_takes_over()) return {};
  if (delay == Duration::zero()) return {SlotOrder::Kind::spawn, {}};
  state_ = SlotState::backing_off;
  timer_ = fresh;
  retry_at_ = now + delay;
  return {SlotOrder::Kind::set_timer, SetTimer{timer_, retry_at_}};
}

SlotOrder SlotFsm::vacated_as_planned() {
  if (state_ != SlotState::running) return {};
  incumbent_.reset();
  if (challenger_takes_over()) return {};
  if (wanted_) return {SlotOrder::Kind::spawn, {}};
  state_ = SlotState::empty;
  return {};
}

SlotOrder SlotFsm::timer_fired(TimerId id) {
  if (id == hold_) hold_ = {};
  if (state_ != SlotState::backing_off || id != timer_) return {};
  return try_again();
}

void SlotFsm::give_up() {
  if (state_ == SlotState::empty || !wanted_ || incumbent_) return;
  timer_ = {};
  state_ = SlotState::given_up;
}

SlotOrder SlotFsm::try_again() {
  if (state_ != SlotState::given_up && state_ != SlotState::backing_off) return {};
  timer_ = {};
  state_ = SlotState::running;
  return {SlotOrder::Kind::spawn, {}};
}

ChildId SlotFsm::promote() {
  const ChildId before = *incumbent_;
  incumbent_ = std::exchange(challenger_, std::nullopt);
  return before;
}

SlotOrder SlotFsm::challenger_died(TimePoint now, Duration at_least, TimerId fresh, double spread) {
  challenger_.reset();
  const Duration delay = std::max(at_least, delay_.next(Duration::zero(), spread));
  if (delay == Duration::zero()) return {};
  hold_ = fresh;
  return {SlotOrder::Kind::set_timer, SetTimer{hold_, now + delay}};
}

bool SlotFsm::challenger_takes_over() {
  if (!wanted_ || !challenger_) return false;
  incumbent_ = std::exchange(challenger_, std::nullopt);
  return true;
}

const char* to_string(SlotState state) {
  switch (state) {
    case SlotState::empty:
      return "empty";
    case SlotState::running:
      return "running";
    case SlotState::backing_off:
      return "backing_off";
    case SlotState::given_up:
      return "given_up";
  }
  return "?";
}

}  // namespace clusterd::core
