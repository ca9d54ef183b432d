#include "master/core/slot_fsm.h"

namespace clusterd::core {

SlotOrder SlotFsm::open() {
  wanted_ = true;
  if (state_ != SlotState::empty) return {};
  state_ = SlotState::running;
  return {SlotOrder::Kind::spawn, {}};
}

void SlotFsm::close() {
  wanted_ = false;
  if (state_ == SlotState::running) return;
  state_ = SlotState::empty;
  timer_ = {};
}

void SlotFsm::occupied(ChildId child) { incumbent_ = child; }

SlotOrder SlotFsm::vacated(TimePoint now, Duration ready_for, TimerId fresh) {
  if (state_ != SlotState::running) return {};
  if (!wanted_) return vacated_as_planned();
  incumbent_.reset();
  const Duration delay = delay_.next(ready_for);
  if (delay == Duration::zero()) return {SlotOrder::Kind::spawn, {}};
  state_ = SlotState::backing_off;
  timer_ = fresh;
  retry_at_ = now + delay;
  return {SlotOrder::Kind::set_timer, SetTimer{timer_, retry_at_}};
}

SlotOrder SlotFsm::vacated_as_planned() {
  if (state_ != SlotState::running) return {};
  incumbent_.reset();
  if (wanted_) return {SlotOrder::Kind::spawn, {}};
  state_ = SlotState::empty;
  return {};
}

SlotOrder SlotFsm::timer_fired(TimerId id) {
  if (state_ != SlotState::backing_off || id != timer_) return {};
  timer_ = {};
  state_ = SlotState::running;
  return {SlotOrder::Kind::spawn, {}};
}

const char* to_string(SlotState state) {
  switch (state) {
    case SlotState::empty:
      return "empty";
    case SlotState::running:
      return "running";
    case SlotState::backing_off:
      return "backing_off";
  }
  return "?";
}

}  // namespace clusterd::core
