#include "master/core/cluster.h"

#include <algorithm>
#include <utility>

namespace clusterd::core {
namespace {

/// A slot that loses this many children in a row before the cluster was ever ready ends the start.
constexpr unsigned kStartAttempts = 3;

}  // namespace

struct Cluster::Step {
  TimePoint now;
  Actions actions;

  void note(Note note) { actions.emplace_back(std::move(note)); }
};

Cluster::Cluster(Plan plan)
    : plan_(plan),
      agent_slot_(plan.restart_delay),
      slots_(plan.workers, SlotFsm(plan.restart_delay)),
      starts_(plan.workers, 0),
      last_exits_(plan.workers) {}

Actions Cluster::step(TimePoint now, const Event& event) {
  Step step{now, {}};
  std::visit([&](const auto& what) { on(step, what); }, event);
  return std::move(step.actions);
}

std::uint32_t Cluster::ready() const {
  return static_cast<std::uint32_t>(
      std::count_if(children_.begin(), children_.end(), [](const auto& entry) {
        return entry.first.role == Role::worker && entry.second.fsm.state() == ChildState::ready;
      }));
}

void Cluster::on(Step& step, const Start&) {
  if (state_ != ClusterState::idle) return;
  state_ = ClusterState::starting;
  started_at_ = step.now;
  obey(step, Role::agent, {}, agent_slot_.open());
}

void Cluster::on(Step& step, const ChildHappened& event) { drive(step, event.child, event.event); }

void Cluster::on(Step& step, const TimerFired& event) {
  // A timer is somebody's or, if its owner moved on meanwhile, nobody's. The owners know.
  std::vector<ChildId> ids;
  for (const auto& [id, child] : children_) ids.push_back(id);
  for (const ChildId id : ids) drive(step, id, ChildTimer{event.id});
  obey(step, Role::agent, {}, agent_slot_.timer_fired(event.id));
  for (std::uint32_t number = 0; number < slots_.size(); ++number) {
    obey(step, Role::worker, SlotId{number}, slots_[number].timer_fired(event.id));
  }
}

void Cluster::on(Step& step, const StopRequested& event) {
  if (state_ == ClusterState::finished) return;
  if (state_ != ClusterState::stopping) stop(step, Outcome{});
  if (event.now) {
    std::vector<ChildId> ids;
    for (const auto& [id, child] : children_) ids.push_back(id);
    for (const ChildId id : ids) drive(step, id, AskedToDie{});
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
      children_.at(id).why = signal->why;
      step.actions.emplace_back(SignalChild{id, signal->signal, signal->why});
    } else if (std::get_if<EndConnections>(&action) != nullptr) {
      step.actions.emplace_back(LeaveRotation{id});
      const Child& child = children_.at(id);
      if (child.fsm.state() == ChildState::draining) {
        step.note({Note::Kind::drain, id, child.slot, {}, true, {}, {}});
      }
    } else if (std::get_if<CameOnline>(&action) != nullptr) {
      step.note({Note::Kind::online, id, children_.at(id).slot, {}, false, {}, {}});
    } else if (std::get_if<BecameReady>(&action) != nullptr) {
      became_ready(step, id);
    } else if (const auto* end = std::get_if<ChildGone>(&action)) {
      gone(step, id, *end);
    }
  }
}

void Cluster::became_ready(Step& step, ChildId id) {
  Child& child = children_.at(id);
  child.ready_at = step.now;
  step.actions.emplace_back(EnterRotation{id});
  step.note({Note::Kind::ready, id, child.slot, {}, false, step.now - child.spawned_at, {}});
  if (state_ == ClusterState::starting) continue_start(step);
}

void Cluster::gone(Step& step, ChildId id, const ChildGone& gone) {
  const Child child = children_.at(id);
  children_.erase(id);
  step.note({Note::Kind::gone, id, child.slot, gone.status, gone.planned,
             step.now - child.spawned_at, child.why});
  step.actions.emplace_back(Forget{id});
  if (id.role == Role::worker) {
    last_exits_[number_of(child.slot)] = LastExit{gone.status, gone.planned, child.why};
  }

  SlotFsm& slot = slot_of(id.role, child.slot);
  if (slot.incumbent() == id) {
    const Duration ready_for = gone.was_ready ? step.now - child.ready_at : Duration::zero();
    const SlotOrder order =
        gone.planned ? slot.vacated_as_planned() : slot.vacated(step.now, ready_for, fresh_timer());
    if (state_ == ClusterState::starting && slot.deaths() >= kStartAttempts) {
      const std::string why = child.why.empty() ? "" : ", the last since " + child.why;
      stop(step, {Outcome::Kind::never_started,
                  to_string(id) + " ended before the cluster was ready: " +
                      std::to_string(slot.deaths()) + " deaths in a row in its slot" + why});
      return;
    }
    obey(step, id.role, child.slot, order);
  }
  if (state_ == ClusterState::stopping) continue_stop(step);
}

void Cluster::obey(Step& step, Role role, SlotId slot, const SlotOrder& order) {
  switch (order.kind) {
    case SlotOrder::Kind::nothing:
      break;
    case SlotOrder::Kind::spawn:
      spawn(step, role, slot);
      break;
    case SlotOrder::Kind::set_timer:
      step.actions.emplace_back(order.timer);
      step.note({Note::Kind::backing_off,
                 ChildId{role, 0},
                 slot,
                 {},
                 false,
                 order.timer.at - step.now,
                 {}});
      break;
  }
}

void Cluster::spawn(Step& step, Role role, SlotId slot) {
  const bool agent = role == Role::agent;
  const ChildId id{role, agent ? next_agent_++ : next_worker_++};
  if (!agent) ++starts_[number_of(slot)];
  Child child{
      ChildFsm(agent ? plan_.agent : plan_.worker), slot, plan_.generation, step.now, {}, {}};
  const ChildActions actions = child.fsm.start(step.now, fresh_timer());
  children_.emplace(id, std::move(child));
  slot_of(role, slot).occupied(id);
  step.actions.emplace_back(Spawn{id, slot, plan_.generation});
  step.note({Note::Kind::forked, id, slot, {}, false, {}, {}});
  translate(step, id, actions);
}

void Cluster::continue_start(Step& step) {
  const auto agent = agent_slot_.incumbent();
  if (!agent || children_.at(*agent).fsm.state() != ChildState::ready) return;
  for (std::uint32_t number = 0; number < slots_.size(); ++number) {
    obey(step, Role::worker, SlotId{number}, slots_[number].open());
  }
  if (ready() < slots_.size()) return;
  state_ = ClusterState::running;
  step.actions.emplace_back(AnnounceReady{});
  step.note({Note::Kind::all_ready, {}, {}, {}, false, step.now - started_at_, {}});
}

void Cluster::stop(Step& step, Outcome outcome) {
  state_ = ClusterState::stopping;
  outcome_ = std::move(outcome);
  agent_slot_.close();
  for (SlotFsm& slot : slots_) slot.close();
  step.actions.emplace_back(StopAccepting{});
  std::vector<ChildId> workers;
  for (const auto& [id, child] : children_) {
    if (id.role == Role::worker) workers.push_back(id);
  }
  for (const ChildId id : workers) drive(step, id, AskedToLeave{});
  continue_stop(step);
}

void Cluster::continue_stop(Step& step) {
  if (any(Role::worker)) return;
  if (any(Role::agent)) {
    const ChildId agent = children_.begin()->first;
    drive(step, agent, AskedToLeave{});
    return;
  }
  if (state_ == ClusterState::finished) return;
  state_ = ClusterState::finished;
  step.actions.emplace_back(Finish{outcome_});
}

SlotFsm& Cluster::slot_of(Role role, SlotId slot) {
  return role == Role::agent ? agent_slot_ : slots_[number_of(slot)];
}

bool Cluster::any(Role role) const {
  return std::any_of(children_.begin(), children_.end(),
                     [role](const auto& entry) { return entry.first.role == role; });
}

const char* to_string(ClusterState state) {
  switch (state) {
    case ClusterState::idle:
      return "idle";
    case ClusterState::starting:
      return "starting";
    case ClusterState::running:
      return "running";
    case ClusterState::stopping:
      return "stopping";
    case ClusterState::finished:
      return "finished";
  }
  return "?";
}

}  // namespace clusterd::core
