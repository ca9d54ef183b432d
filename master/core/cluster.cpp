#include "master/core/cluster.h"

#include "master/core/cluster_step.h"

#include <algorithm>
#include <utility>

namespace clusterd::core {
namespace {

RestartDelay delay_of(const Plan& plan) { return {plan.backoff_first, plan.backoff_max}; }

RestartLimiter limiter_of(const Plan& plan) {
  return {plan.death_limit != 0 ? plan.death_limit : default_death_limit(plan.workers),
          plan.death_window};
}

}  // namespace

Cluster::Cluster(Plan plan)
    : plan_(plan),
      pools_{Pool{limiter_of(plan)}, Pool{limiter_of(plan)}, Pool{limiter_of(plan)}},
      agent_(delay_of(plan)),
      program_(delay_of(plan)),
      slots_(plan.workers, SlotFsm(delay_of(plan))),
      records_(plan.workers),
      random_(plan.seed) {}

Actions Cluster::step(TimePoint now, const Event& event) {
  Step step{now, {}};
  std::visit([&](const auto& what) { on(step, what); }, event);
  if (state_ == ClusterState::running) {
    judge_rollout(step);
    renew_program(step);
    renew(step);
    judge_rollout(step);
  }
  return std::move(step.actions);
}

void Cluster::on(Step& step, const Start&) {
  if (state_ != ClusterState::idle) return;
  state_ = ClusterState::starting;
  started_at_ = step.now;
  obey(step, Role::agent, {}, agent_.open());
}

void Cluster::on(Step& step, const ChildHappened& event) { drive(step, event.child, event.event); }

void Cluster::on(Step& step, const TimerFired& event) {
  // A timer is somebody's or, if its owner moved on meanwhile, nobody's. The owners know.
  if (state_ == ClusterState::delaying && event.id == stop_timer_) return stop(step, Outcome{});
  for (const Role role : kRoles) {
    for (const ChildId id : all(role)) drive(step, id, ChildTimer{event.id});
    if (pool_of(role).timer == event.id) probe(step, role);
    for (const SlotId slot : slots_of(role)) {
      obey(step, role, slot, slot_of(role, slot).timer_fired(event.id));
    }
  }
}

void Cluster::on(Step& step, const StopRequested& event) {
  if (state_ == ClusterState::finished) return;
  if (!event.now && state_ == ClusterState::delaying) return;
  // The delay is that of what is in force.
  const Duration delay = rollout_ ? rollout_->before.stop_delay : plan_.stop_delay;
  if (!event.now && state_ == ClusterState::running && delay > Duration::zero()) {
    return stop_later(step, delay);
  }
  if (state_ != ClusterState::stopping) stop(step, Outcome{});
  if (!event.now) return;
  for (const Role role : kRoles) {
    for (const ChildId id : all(role)) drive(step, id, AskedToDie{});
  }
}

void Cluster::drive(Step& step, ChildId id, const ChildEvent& event) {
  const auto found = children_.find(id);
  if (found == children_.end()) return;  // said of a child that is reaped already
  translate(step, id, found->second.fsm.step(step.now, event, fresh_timer()));
}

void Cluster::translate(Step& step, ChildId id, const ChildActions& actions) {
  for (const ChildAction& action : actions) {
    if (const auto* timer = std::get_if<SetTimer>(&action)) {
      step.actions.emplace_back(*timer);
    } else if (const auto* signal = std::get_if<SendSignal>(&action)) {
      signalled(step, id, *signal);
    } else if (std::get_if<EndConnections>(&action) != nullptr) {
      step.actions.emplace_back(LeaveRotation{id});
      const Child& child = children_.at(id);
      if (child.fsm.planned() && child.fsm.state() == ChildState::draining) {
        step.note(note_of(Note::Kind::drain, id, child.because));
      }
    } else if (std::get_if<CameOnline>(&action) != nullptr) {
      step.note(note_of(Note::Kind::online, id));
    } else if (std::get_if<BecameReady>(&action) != nullptr) {
      became_ready(step, id);
    } else if (const auto* departure = std::get_if<Departs>(&action)) {
      departs(step, id, *departure);
    } else if (const auto* end = std::get_if<ChildGone>(&action)) {
      gone(step, id, *end);
    }
  }
}

void Cluster::signalled(Step& step, ChildId id, const SendSignal& signal) {
  Child& child = children_.at(id);
  child.why = signal.why;
  step.actions.emplace_back(SignalChild{id, signal.signal, signal.why});
  // Its end is certain, and nobody who waits for the verdict has to wait for that.
  if (!child.fsm.planned() && on_trial(step.now, id)) fail_rollout(step, blame(id));
}

void Cluster::became_ready(Step& step, ChildId id) {
  Child& child = children_.at(id);
  child.ready_at = step.now;
  step.actions.emplace_back(EnterRotation{id});
  Note note = note_of(Note::Kind::ready, id);
  note.time = step.now - child.spawned_at;
  step.note(std::move(note));
  if (pool_of(id.role).probe == id) recover(step, id);
  if (on_trial(step.now, id) && plan_.settle > Duration::zero()) {
    step.actions.emplace_back(SetTimer{fresh_timer(), step.now + plan_.settle});
  }
  if (state_ == ClusterState::starting) continue_start(step);
}

void Cluster::obey(Step& step, Role role, SlotId slot, const SlotOrder& order) {
  switch (order.kind) {
    case SlotOrder::Kind::nothing:
      break;
    case SlotOrder::Kind::spawn:
      slot_of(role, slot).occupied(next_child(role));
      (void)fork(step, role, slot, generation_to_spawn());
      break;
    case SlotOrder::Kind::set_timer: {
      step.actions.emplace_back(order.timer);
      Note note{Note::Kind::backing_off, ChildId{role, 0}, slot, {}, false, {}, {}};
      note.time = order.timer.at - step.now;
      step.note(std::move(note));
      break;
    }
  }
}

/// Its slot knows of it already: what follows from the child's first action can ask.
ChildId Cluster::fork(Step& step, Role role, SlotId slot, Generation generation) {
  const ChildId id = next_child(role);
  ++pool_of(role).next;
  // One that may never take over is no restart.
  const bool takes_over = role == Role::worker && slot_of(role, slot).challenger() != id;
  if (takes_over) ++records_[number_of(slot)].starts;
  const Plan& plan = rollout_ && generation == rollout_->from ? rollout_->before : plan_;
  Child child{ChildFsm(plan.timeouts(role)), slot, generation, step.now, {}, {}, {}};
  if (role == Role::program) child.program = last_program_ = plan.program;
  const ChildActions actions = child.fsm.start(step.now, fresh_timer());
  children_.emplace(id, std::move(child));
  step.actions.emplace_back(Spawn{id, slot, generation});
  step.note(note_of(Note::Kind::forked, id));
  translate(step, id, actions);
  return id;
}

void Cluster::continue_start(Step& step) {
  const auto agent = agent_.incumbent();
  if (!agent || children_.at(*agent).fsm.state() != ChildState::ready) return;
  if (plan_.program != 0) obey(step, Role::program, {}, program_.open());
  if (!at_strength(Role::program)) return;
  for (const SlotId slot : slots_of(Role::worker)) {
    obey(step, Role::worker, slot, slot_of(Role::worker, slot).open());
  }
  if (ready() < slots_.size()) return;
  state_ = ClusterState::running;
  // First the log: who waits for the announcement may read it at once.
  step.note({Note::Kind::all_ready, {}, {}, {}, false, step.now - started_at_, {}});
  step.actions.emplace_back(AnnounceReady{});
}

void Cluster::stop_later(Step& step, Duration delay) {
  state_ = ClusterState::delaying;
  end_rollout(step);
  stop_timer_ = fresh_timer();
  stops_at_ = step.now + delay;
  step.actions.emplace_back(SetTimer{stop_timer_, stops_at_});
}

void Cluster::stop(Step& step, Outcome outcome) {
  state_ = ClusterState::stopping;
  outcome_ = std::move(outcome);
  agent_.close();
  program_.close();
  for (SlotFsm& slot : slots_) slot.close();
  step.actions.emplace_back(StopAccepting{});
  end_rollout(step);
  for (const ChildId id : all(Role::worker)) ask_to_leave(step, id, "the cluster stops");
  continue_stop(step);
}

void Cluster::continue_stop(Step& step) {
  if (!all(Role::worker).empty()) return;
  for (const Role role : {Role::program, Role::agent}) {
    const auto last = all(role);
    if (!last.empty()) return ask_to_leave(step, last.front(), "the cluster stops");
  }
  if (state_ == ClusterState::finished) return;
  state_ = ClusterState::finished;
  step.actions.emplace_back(Finish{outcome_});
}

/// From 0 to 1, by a linear congruence: all that it is for is that two slots differ.
double Cluster::spread() {
  if (plan_.seed == 0) return 0;
  random_ = random_ * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
  return static_cast<double>(random_ >> 11U) * 0x1p-53;
}

}  // namespace clusterd::core
