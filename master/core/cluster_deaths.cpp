// A child has ended, or will: who takes its place, and when that is tried no more.
#include "master/core/cluster_step.h"

#include <algorithm>
#include <utility>

namespace clusterd::core {
namespace {

/// A slot that loses this many children in a row before the cluster was ever ready ends the start.
constexpr unsigned kStartAttempts = 3;

/// Where the machine has no room for another process, it is asked again at least this often.
constexpr Duration kRoomRetry = std::chrono::seconds(1);

}  // namespace

void Cluster::gone(Step& step, ChildId id, const ChildGone& gone) {
  Note note = note_of(Note::Kind::gone, id);
  const bool tried = !gone.planned && on_trial(step.now, id);
  RolloutEnded fault = blame(id);
  const Child child = std::move(children_.at(id));
  children_.erase(id);
  note.status = gone.status;
  note.planned = gone.planned;
  note.time = step.now - child.spawned_at;
  note.why = child.why;
  note.last_words = gone.last_words;
  step.note(std::move(note));
  step.actions.emplace_back(Forget{id});
  if (tried) {
    fault.exited = true;
    fault.status = gone.status;
    fault.last_words = gone.last_words;
    fail_rollout(step, std::move(fault));
  }
  left_slot(step, id, child, gone);
  if (state_ == ClusterState::stopping) return continue_stop(step);
  if (pool_of(id.role).probe == id) {  // it left before it could tell
    pool_of(id.role).probe.reset();
    probe_later(step, id.role);
  }
}

/// What its slot makes of it, if it still has one.
void Cluster::left_slot(Step& step, ChildId id, const Child& child, const ChildGone& gone) {
  if (id.role == Role::worker) {
    if (number_of(child.slot) >= slots_.size()) return;
    records_[number_of(child.slot)].last_exit =
        LastExit{gone.status, gone.planned, child.why, gone.last_words};
  }
  SlotFsm& slot = slot_of(id.role, child.slot);
  const Duration ready_for = gone.was_ready ? step.now - child.ready_at : Duration::zero();
  if (slot.challenger() == id) {
    challenger_died(step, child.slot, {child.why, &gone});
  } else if (slot.incumbent() == id && gone.planned) {
    obey(step, id.role, child.slot, slot.vacated_as_planned());
  } else if (slot.incumbent() == id) {
    const Duration at_most = gone.status.lacked_room() ? kRoomRetry : Duration::max();
    const SlotOrder order = slot.vacated(step.now, ready_for, fresh_timer(), spread(), at_most);
    replace_dead(step, id, child.slot, order, {child.why, &gone});
  }
}

/// It will go of its own accord: a worker's slot is another's from now on, and it is nobody's
/// incumbent. So it is replaced once, whatever becomes of it.
void Cluster::departs(Step& step, ChildId id, const Departs& departs) {
  const bool hangs = departs.cause == Departs::Cause::hang;
  Child& child = children_.at(id);
  child.because = (hangs ? "it hangs: " : "it said suicide: ") + departs.reason;
  step.note(note_of(hangs ? Note::Kind::hang : Note::Kind::suicide, id, departs.reason));
  if (on_trial(step.now, id)) fail_rollout(step, blame(id));
  // Of these there is never more than one: the next is forked when this one has gone.
  if (id.role != Role::worker) return;
  if (number_of(child.slot) >= slots_.size()) return;
  SlotFsm& slot = slot_of(id.role, child.slot);
  if (slot.challenger() == id) return challenger_died(step, child.slot, {child.because});
  if (slot.incumbent() != id) return;
  // One that was never ready is as good as dead: there is a delay if that goes on.
  const SlotOrder order = child.fsm.was_ready()
                              ? slot.vacated_as_planned()
                              : slot.vacated(step.now, {}, fresh_timer(), spread());
  replace_dead(step, id, child.slot, order, {child.because});
}

/// Counts a death, or what comes to the same, and fills the slot unless there were too many.
void Cluster::replace_dead(Step& step, ChildId id, SlotId slot, const SlotOrder& order,
                           const Death& death) {
  if (state_ == ClusterState::stopping) return obey(step, id.role, slot, order);
  // Its challenger has its place already.
  if (id.role == Role::worker && slot_of(id.role, slot).incumbent()) {
    ++records_[number_of(slot)].starts;
  }
  Pool& pool = pool_of(id.role);
  const bool too_many = death.counts() && pool.limiter.death(step.now);
  if (state_ == ClusterState::starting) {
    const unsigned deaths = slot_of(id.role, slot).deaths();
    if (too_many || deaths >= kStartAttempts) {
      Outcome outcome = death.ends(Outcome::Kind::never_started);
      outcome.why = to_string(id) + " ended before the cluster was ready: " +
                    (too_many ? std::to_string(pool.limiter.limit()) + " deaths"
                              : std::to_string(deaths) + " deaths in a row in its slot") +
                    (death.why.empty() ? "" : ", the last since " + death.why);
      return stop(step, std::move(outcome));
    }
  } else if (too_many || pool.gave_up) {
    return give_up(step, id, slot, death);
  }
  obey(step, id.role, slot, order);
}

/// Its incumbent serves on, so there is no hurry.
void Cluster::challenger_died(Step& step, SlotId slot, const Death& death) {
  const bool too_many = death.counts() && pool_of(Role::worker).limiter.death(step.now);
  const Duration at_least = too_many ? plan_.giveup_retry : Duration::zero();
  const SlotOrder order =
      slot_of(Role::worker, slot).challenger_died(step.now, at_least, fresh_timer(), spread());
  obey(step, Role::worker, slot, order);
}

/// The slots of healthy children stay as they are; the others stay empty, but for a probe now and
/// then.
void Cluster::give_up(Step& step, ChildId id, SlotId slot, const Death& death) {
  Pool& pool = pool_of(id.role);
  if (pool.probe == id) pool.probe.reset();
  slot_of(id.role, slot).give_up();
  for (const SlotId other : slots_of(id.role)) {
    SlotFsm& fsm = slot_of(id.role, other);
    if (fsm.state() == SlotState::backing_off) fsm.give_up();
  }
  if (!std::exchange(pool.gave_up, true)) {
    Note note{Note::Kind::giveup, id, slot, {}, false, plan_.giveup_retry, death.why};
    if (death.gone != nullptr) {
      note.exited = true;
      note.status = death.gone->status;
      note.last_words = death.gone->last_words;
    }
    step.note(std::move(note));
    if (plan_.exit_on_giveup) {
      Outcome outcome = death.ends(Outcome::Kind::gave_up);
      outcome.why = std::to_string(pool.limiter.limit()) + " deaths, the last of " + to_string(id) +
                    (death.why.empty() ? "" : ", since " + death.why);
      return stop(step, std::move(outcome));
    }
  }
  probe_later(step, id.role);
}

void Cluster::probe_later(Step& step, Role role) {
  Pool& pool = pool_of(role);
  if (!pool.gave_up || pool.timer != TimerId{}) return;
  pool.timer = fresh_timer();
  pool.probe_at = step.now + plan_.giveup_retry;
  step.actions.emplace_back(SetTimer{pool.timer, pool.probe_at});
}

/// One child is tried. If it becomes ready, what they died of is over.
void Cluster::probe(Step& step, Role role) {
  Pool& pool = pool_of(role);
  pool.timer = {};
  if (!pool.gave_up || state_ != ClusterState::running || pool.probe) return;
  for (const SlotId slot : slots_of(role)) {
    SlotFsm& fsm = slot_of(role, slot);
    if (fsm.state() != SlotState::given_up) continue;
    obey(step, role, slot, fsm.try_again());
    pool.probe = fsm.incumbent();
    return;
  }
  if (role == Role::worker) forget_giveup(step);
}

/// A reload or a scale has seen to the slots that were given up.
void Cluster::forget_giveup(Step& step) {
  const bool any = std::any_of(slots_.begin(), slots_.end(), [](const SlotFsm& slot) {
    return slot.state() == SlotState::given_up;
  });
  Pool& pool = pool_of(Role::worker);
  if (any || pool.probe || !std::exchange(pool.gave_up, false)) return;
  Note note{Note::Kind::recover, {Role::worker, 0}, {}, {}, false, {}, {}};
  step.note(std::move(note));
}

void Cluster::recover(Step& step, ChildId by) {
  Pool& pool = pool_of(by.role);
  pool.probe.reset();
  pool.gave_up = false;
  step.note(note_of(Note::Kind::recover, by));
  for (const SlotId slot : slots_of(by.role)) {
    obey(step, by.role, slot, slot_of(by.role, slot).try_again());
  }
}

}  // namespace clusterd::core
