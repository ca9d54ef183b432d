#pragma once

#include "master/core/cluster.h"
#include "tests/support/every_order.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace clusterd::testing {

/// Carries out what a cluster orders, in memory and under a clock of its own, and throws a
/// Violation at the first order that breaks a promise. Copyable, for EveryOrder.
struct ClusterHost {
  struct Held {
    SlotId slot{};
    bool entered = false;
    bool in_rotation = false;
    bool killed = false;
  };

  explicit ClusterHost(const core::Plan& plan) : cluster(plan) {}

  core::Cluster cluster;
  TimePoint now{std::chrono::hours(1)};
  std::map<ChildId, Held> children;  ///< forked and not forgotten
  std::multimap<TimePoint, core::TimerId> timers;
  std::map<Role, std::uint32_t> spawned;
  std::vector<core::Note> notes;  ///< of the last event
  bool agent_was_ready = false;
  bool announced = false;
  bool stopping = false;
  std::optional<core::Outcome> outcome;

  core::Actions happens(const core::Event& event) {
    notes.clear();
    core::Actions actions = cluster.step(now, event);
    for (const core::Action& action : actions) {
      must(!outcome || std::holds_alternative<core::Note>(action), "nothing is done after the end");
      std::visit([this](const auto& what) { carry_out(what); }, action);
    }
    judge();
    return actions;
  }

  core::Actions happens_to(ChildId child, core::ChildEvent event) {
    return happens(core::ChildHappened{child, std::move(event)});
  }

  core::Actions exits(ChildId child) {
    return happens_to(child, core::ProcessExited{{core::ExitStatus::Kind::exited, 1, false, {}}});
  }

  /// The clock goes on to the earliest timer, which may be one that nobody awaits any more.
  core::Actions fire_earliest() {
    const auto [at, id] = *timers.begin();
    timers.erase(timers.begin());
    now = std::max(now, at);
    return happens(core::TimerFired{id});
  }

  /// The child of this role that was forked last, if it is alive.
  [[nodiscard]] std::optional<ChildId> last_child(Role role) const {
    const auto found = spawned.find(role);
    if (found == spawned.end()) return std::nullopt;
    const ChildId id{role, found->second};
    return children.count(id) > 0 ? std::optional(id) : std::nullopt;
  }

  /// Once it stops, exits are all that it needs to finish, however they come.
  void must_finish_by_exits() const {
    ClusterHost rest = *this;
    while (!rest.children.empty()) (void)rest.exits(std::prev(rest.children.end())->first);
    must(rest.outcome.has_value(), "it ends when nobody is left");
  }

 private:
  void carry_out(const core::Spawn& spawn) {
    must(!stopping, "nobody is forked while stopping");
    must(spawn.child.role == Role::agent || agent_was_ready, "the agent is ready before a worker");
    must(spawn.child.number == ++spawned[spawn.child.role], "a number is never used again");
    for (const auto& [id, held] : children) {
      must(id.role != spawn.child.role || held.slot != spawn.slot, "one child a slot");
    }
    children[spawn.child] = Held{spawn.slot, false, false, false};
  }

  void carry_out(const core::EnterRotation& action) {
    Held& held = living(action.child);
    must(!std::exchange(held.entered, true), "a child enters the rotation once");
    held.in_rotation = true;
    if (action.child.role == Role::agent) agent_was_ready = true;
  }

  void carry_out(const core::LeaveRotation& action) {
    must(std::exchange(living(action.child).in_rotation, false), "only who is in rotation leaves");
  }

  void carry_out(const core::SignalChild& action) {
    Held& held = living(action.child);
    must(!held.in_rotation, "no signal to a child that gets connections");
    must(!held.killed, "no signal after KILL");
    held.killed = action.signal == core::Signal::kill;
  }

  void carry_out(const core::Forget& action) {
    must(!living(action.child).in_rotation, "who is forgotten has left the rotation");
    children.erase(action.child);
  }

  void carry_out(const core::SetTimer& action) {
    must(action.at > now, "a timer is in the future");
    timers.emplace(action.at, action.id);
  }

  void carry_out(const core::StopAccepting&) {
    must(!std::exchange(stopping, true), "accepting is stopped once");
  }

  void carry_out(const core::AnnounceReady&) {
    must(!std::exchange(announced, true), "it announces itself once");
    must(!stopping && children.size() == cluster.slots().size() + 1, "all are there");
    for (const auto& [id, held] : children) must(held.in_rotation, "all are ready");
  }

  void carry_out(const core::Finish& action) {
    must(stopping && children.empty(), "it ends when nobody is left");
    outcome = action.outcome;
  }

  void carry_out(const core::Note& note) { notes.push_back(note); }

  Held& living(ChildId child) {
    const auto found = children.find(child);
    must(found != children.end(), "nothing is done with a child that is forgotten");
    return found->second;
  }

  void judge() const {
    using core::ClusterState;
    const ClusterState state = cluster.state();
    must((state == ClusterState::stopping || state == ClusterState::finished) == stopping,
         "who stops does not accept");
    must((state == ClusterState::finished) == outcome.has_value(), "finished is the end");
    must(state != ClusterState::running || announced, "running is announced");
    must(cluster.children().size() == children.size(), "it knows who is alive");
    const bool serving = state == ClusterState::starting || state == ClusterState::running;
    judge_slot(cluster.agent_slot(), Role::agent, {}, serving);
    for (std::uint32_t number = 0; number < cluster.slots().size(); ++number) {
      judge_slot(cluster.slots()[number], Role::worker, SlotId{number}, serving && agent_was_ready);
    }
  }

  void judge_slot(const core::SlotFsm& slot, Role role, SlotId number, bool wanted) const {
    const auto incumbent = slot.incumbent();
    for (const auto& [id, held] : children) {
      must(id.role != role || held.slot != number || incumbent == id, "a child has its slot");
    }
    must(!incumbent || children.count(*incumbent) > 0, "an incumbent is alive");
    must(!wanted || incumbent || slot.state() == core::SlotState::backing_off,
         "a wanted slot has a child, or waits for its next");
  }
};

}  // namespace clusterd::testing
