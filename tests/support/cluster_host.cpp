#include "tests/support/cluster_host.h"

#include "tests/support/must.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

namespace clusterd::testing {

using namespace core;

Actions ClusterHost::happens(const Event& event) {
  notes.clear();
  left.clear();
  if (std::holds_alternative<RolloutRequested>(event) && cluster.can_roll_out()) rolling = true;
  const bool was_over = outcome.has_value();
  Actions actions = cluster.step(now, event);
  must(!was_over || actions.empty(), "nothing comes after the end");
  for (const Action& action : actions) {
    must(!outcome || std::holds_alternative<Note>(action), "nothing is done after the end");
    std::visit([this](const auto& order) { carry_out(order); }, action);
  }
  judge();
  return actions;
}

Actions ClusterHost::happens_to(ChildId child, ChildEvent event) {
  return happens(ChildHappened{child, std::move(event)});
}

Actions ClusterHost::exits(ChildId child) {
  return happens_to(child, ProcessExited{{ExitStatus::Kind::exited, 1, false, {}}});
}

Actions ClusterHost::fire(std::multimap<TimePoint, TimerId>::iterator timer) {
  const auto [at, id] = *timer;
  timers.erase(timer);
  now = std::max(now, at);
  return happens(TimerFired{id});
}

std::optional<ChildId> ClusterHost::last_child(Role role) const {
  const auto found = spawned.find(role);
  if (found == spawned.end()) return std::nullopt;
  const ChildId id{role, found->second};
  return children.contains(id) ? std::optional(id) : std::nullopt;
}

void ClusterHost::must_finish_by_exits() const {
  ClusterHost rest = *this;
  while (!rest.children.empty()) (void)rest.exits(std::prev(rest.children.end())->first);
  must(rest.outcome.has_value(), "it ends when nobody is left");
}

void ClusterHost::carry_out(const Spawn& order) {
  must(!stopping, "nobody is forked while stopping");
  const Role role = order.child.role;
  must(role == Role::agent || agent_was_ready, "the agent is ready before all others");
  must(role != Role::worker || program_was_ready, "the agent program is ready before a worker");
  must(role != Role::worker || number_of(order.slot) < cluster.slots().size(),
       "a worker is forked for a slot that there is");
  must(role == Role::worker || std::none_of(children.begin(), children.end(),
                                            [=](auto& each) { return each.first.role == role; }),
       "there is never a second agent, nor a second agent program");
  must(order.child.number == ++spawned[order.child.role], "a number is never used again");
  children[order.child] = Held{order.slot, order.generation, false, false, false};
}

void ClusterHost::carry_out(const EnterRotation& order) {
  Held& held = living(order.child);
  must(!std::exchange(held.entered, true), "a child enters the rotation once");
  must(!held.killed, "who was killed gets no connections");
  held.in_rotation = true;
  if (order.child.role == Role::agent) agent_was_ready = true;
  if (order.child.role == Role::program) program_was_ready = true;
}

void ClusterHost::carry_out(const LeaveRotation& order) {
  must(std::exchange(living(order.child).in_rotation, false), "only who is in rotation leaves");
  left.push_back(order.child);
}

void ClusterHost::carry_out(const SignalChild& order) {
  Held& held = living(order.child);
  must(!held.in_rotation || order.signal == Signal::kill,
       "no signal but KILL to a child that gets connections");
  must(!held.killed, "no signal after KILL");
  must(!order.why.empty(), "a signal has a reason");
  held.killed = order.signal == Signal::kill;
}

void ClusterHost::carry_out(const Forget& order) {
  must(!living(order.child).in_rotation, "who is forgotten has left the rotation");
  must(gone_.contains(order.child), "its end is told");
  children.erase(order.child);
}

void ClusterHost::carry_out(const SetTimer& order) {
  must(order.at > now, "a timer is in the future");
  must(used_timers_.insert(order.id).second, "a timer's number is new");
  timers.emplace(order.at, order.id);
}

void ClusterHost::carry_out(const StopAccepting&) {
  must(!std::exchange(stopping, true), "accepting is stopped once");
}

void ClusterHost::carry_out(const AnnounceReady&) {
  must(!std::exchange(announced, true), "it announces itself once");
  must(!stopping, "it does so before it stops");
  for (const SlotFsm& slot : cluster.slots()) {
    must(slot.incumbent().has_value(), "all are ready");
    if (!is_forked(*slot.incumbent())) continue;
    must(living(*slot.incumbent()).in_rotation, "all are ready");
  }
}

void ClusterHost::carry_out(const RolloutCommitted& order) {
  must(rolling && !std::exchange(committed, true), "a rollout is committed once");
  must(std::any_of(children.begin(), children.end(),
                   [&](const auto& entry) {
                     return entry.second.generation == order.generation && entry.second.in_rotation;
                   }),
       "somebody of the new generation serves");
}

void ClusterHost::carry_out(const RolloutEnded& order) {
  must(std::exchange(rolling, false), "a rollout ends once");
  must(committed || !order.done, "what is done was proved");
  must(order.done || !order.why.empty() || order.exited, "a failure has a reason");
  committed = false;
  if (!order.done) return;
  for (const SlotFsm& slot : cluster.slots()) {
    must(slot.incumbent().has_value(), "a slot has its new worker");
    if (!is_forked(*slot.incumbent())) continue;
    must(living(*slot.incumbent()).in_rotation, "it is ready");
    must(living(*slot.incumbent()).generation == order.generation, "it is of the new generation");
  }
}

void ClusterHost::carry_out(const Finish& order) {
  must(stopping && children.empty(), "it ends when nobody is left");
  outcome = order.outcome;
}

void ClusterHost::carry_out(const Note& note) {
  notes.push_back(note);
  if (note.kind == Note::Kind::gone) must(gone_.insert(note.child).second, "nobody goes twice");
}

ClusterHost::Held& ClusterHost::living(ChildId child) {
  const auto found = children.find(child);
  must(found != children.end(), "nothing is done with a child that is forgotten");
  return found->second;
}

/// The cluster is asked after its step, so that one whose Spawn comes later in it is there already.
bool ClusterHost::is_forked(ChildId child) const {
  const auto last = spawned.find(child.role);
  return last != spawned.end() && child.number <= last->second;
}

std::size_t ClusterHost::ready_workers() const {
  return static_cast<std::size_t>(
      std::count_if(children.begin(), children.end(), [](const auto& entry) {
        return entry.first.role == Role::worker && entry.second.in_rotation;
      }));
}

void ClusterHost::judge() const {
  const ClusterState state = cluster.state();
  must((state == ClusterState::stopping || state == ClusterState::finished) == stopping,
       "who stops does not accept");
  must((state == ClusterState::finished) == outcome.has_value(), "finished is the end");
  must(state != ClusterState::running || announced, "running is announced");
  must(rolling == cluster.rollout().has_value(), "it knows of its rollout");
  must(cluster.children().size() == children.size(), "it knows who is alive");
  must(cluster.ready() == ready_workers(), "it knows who is ready");
  const bool serving = state >= ClusterState::starting && state <= ClusterState::delaying;
  judge_departures();
  judge_budget();
  judge_slot(cluster.agent_slot(), Role::agent, {}, serving);
  for (std::uint32_t number = 0; number < cluster.slots().size(); ++number) {
    judge_slot(cluster.slots()[number], Role::worker, SlotId{number},
               serving && agent_was_ready && program_was_ready);
  }
  judge_slot(cluster.program_slot(), Role::program, {},
             serving && agent_was_ready && cluster.has_program());
  for (const auto& [id, child] : cluster.children()) {
    must(id.role != Role::worker || number_of(child.slot) < cluster.slots().size() ||
             child.fsm.planned() || child.fsm.state() != ChildState::ready,
         "who has no slot any more leaves");
  }
  for (const auto& [id, held] : children) {
    must(!held.killed || !held.in_rotation, "who was killed is out of rotation");
  }
}

void ClusterHost::judge_slot(const SlotFsm& slot, Role role, SlotId number, bool wanted) const {
  const auto incumbent = slot.incumbent();
  const auto challenger = slot.challenger();
  for (const auto& [id, child] : cluster.children()) {
    if (stopping || id.role != role || child.slot != number) continue;
    const ChildState state = child.fsm.state();
    const bool well =
        state == ChildState::spawned || state == ChildState::online || state == ChildState::ready;
    must(!well || incumbent == id || challenger == id, "a healthy child has its slot");
  }
  must(!incumbent || children.contains(*incumbent), "an incumbent is alive");
  must(!challenger || (incumbent && children.contains(*challenger)), "a challenger has whom");
  must(!wanted || incumbent || slot.state() != SlotState::running,
       "a wanted slot has a child, or waits for its next");
  must(slot.state() != SlotState::given_up || cluster.pool(role).gave_up,
       "it says that it gave up");
}

/// Nobody who serves is asked to leave before a successor serves, unless that is allowed.
void ClusterHost::judge_departures() const {
  if (cluster.state() != ClusterState::running || max_unavailable != 0) return;
  for (const Note& note : notes) {
    if (note.kind != Note::Kind::drain || note.child.role != Role::worker) continue;
    if (note.why.starts_with("scaled") || note.why.find("failed") != std::string::npos) {
      continue;
    }
    if (std::count(left.begin(), left.end(), note.child) == 0) continue;  // it served nobody
    const auto incumbent = cluster.slots().at(number_of(note.slot)).incumbent();
    must(incumbent && children.at(*incumbent).in_rotation, "its successor is ready");
  }
}

void ClusterHost::judge_budget() const {
  std::uint32_t challengers = 0;
  for (const SlotFsm& slot : cluster.slots()) challengers += slot.challenger() ? 1U : 0U;
  must(challengers <= surge, "no more successors at once than there may be");
}

}  // namespace clusterd::testing
