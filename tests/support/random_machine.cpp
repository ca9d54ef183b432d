#include "tests/support/random_machine.h"

#include "tests/support/must.h"
#include "tests/support/plans.h"

#include <utility>
#include <variant>
#include <vector>

namespace clusterd::testing {

using namespace core;
using namespace std::chrono_literals;

namespace {

ProcessExited exited(int code) { return {{ExitStatus::Kind::exited, code, false, {}}, {}}; }

ProcessExited killed_by(Signal signal) {
  return {{ExitStatus::Kind::signaled, signal == Signal::kill ? 9 : 15, false, {}}, {}};
}

}  // namespace

Plan random_plan(std::uint32_t workers) {
  Plan plan = plan_for(workers);
  plan.settle = 50ms;
  plan.program = 1;
  return plan;
}

RandomMachine::RandomMachine(std::uint64_t seed, const Plan& plan)
    : plan_(plan), random_(seed), host_(plan) {
  happens(Start{});
}

void RandomMachine::start_crasher(Troubles troubles) {
  troubles_ = troubles;
  for (const auto& [id, held] : host_.children) misbehave_within(Duration(1s), id);
  if (troubles_.orders) order_soon();
}

std::optional<ChildState> RandomMachine::kill_one() {
  const std::uint32_t wish = pick(3);
  std::vector<ChildId> wished;
  std::vector<ChildId> any;
  for (const auto& [id, child] : host_.cluster.children()) {
    if (id.role != Role::worker) continue;
    any.push_back(id);
    const ChildState state = child.fsm.state();
    const bool starting = state == ChildState::spawned || state == ChildState::online;
    if (wish == 0 ? starting : wish == 1 && state == ChildState::draining) wished.push_back(id);
  }
  const auto& choice = wished.empty() ? any : wished;
  if (choice.empty()) return std::nullopt;
  const ChildId victim = choice[pick(static_cast<std::uint32_t>(choice.size()))];
  const ChildState state = host_.cluster.children().at(victim).fsm.state();
  happens(ChildHappened{victim, killed_by(Signal::kill)});
  return state;
}

void RandomMachine::stop() { happens(StopRequested{}); }

void RandomMachine::run_for(Duration duration) {
  const TimePoint end = host_.now + duration;
  while (step(end)) continue;
  host_.now = end;
}

bool RandomMachine::step(TimePoint end) {
  const bool timer =
      !host_.timers.empty() && (due_.empty() || host_.timers.begin()->first <= due_.begin()->first);
  if (timer) {
    if (host_.timers.begin()->first > end) return false;
    obey(host_.fire_earliest());
    judge();
    return true;
  }
  if (due_.empty() || due_.begin()->first > end) return false;
  host_.now = due_.begin()->first;
  const Deed deed = std::move(due_.begin()->second);
  due_.erase(due_.begin());
  const bool trouble = troubles_.faults || troubles_.goodbyes || troubles_.orders;
  if (!deed.bad || trouble) deed.done();
  return true;
}

std::uint32_t RandomMachine::lives() const {
  const auto found = host_.spawned.find(Role::worker);
  return found == host_.spawned.end() ? 0 : found->second;
}

std::uint32_t RandomMachine::missing() const {
  std::uint32_t count = 0;
  for (std::uint32_t slot = 0; slot < workers(); ++slot) {
    const auto incumbent = host_.cluster.slots()[slot].incumbent();
    const bool ready = incumbent && host_.children.at(*incumbent).in_rotation;
    if (!ready && served_.contains(slot)) ++count;
  }
  return count;
}

std::uint32_t RandomMachine::pick(std::uint32_t count) {
  return std::uniform_int_distribution<std::uint32_t>(0, count - 1)(random_);
}

Duration RandomMachine::up_to(Duration most) {
  return Duration(std::uniform_int_distribution<Duration::rep>(1, most.count())(random_));
}

void RandomMachine::happens(const Event& event) {
  obey(host_.happens(event));
  judge();
}

void RandomMachine::later(Duration delay, ChildId child, ChildEvent event, bool bad) {
  const auto done = [this, child, event = std::move(event)] {
    happens(ChildHappened{child, event});
  };
  due_.emplace(host_.now + delay, Deed{done, bad});
}

void RandomMachine::obey(const Actions& actions) {
  for (const Action& action : actions) {
    if (const auto* ended = std::get_if<RolloutEnded>(&action)) {
      if (ended->done) program_ = to_be_program_;
    } else if (const auto* spawn = std::get_if<Spawn>(&action)) {
      is_born(*spawn);
    } else if (const auto* send = std::get_if<SignalChild>(&action)) {
      const bool ends = send->signal == Signal::kill || obedient_.at(send->child);
      if (ends) later(up_to(kLongestEnd), send->child, killed_by(send->signal));
    } else if (const auto* leave = std::get_if<LeaveRotation>(&action)) {
      if (obedient_.at(leave->child)) later(up_to(kLongestDrain), leave->child, exited(0));
    }
  }
}

void RandomMachine::is_born(const Spawn& spawn) {
  const ChildId child = spawn.child;
  obedient_[child] = !troubles_.faults || pick(2) == 0;
  const auto bad = bad_generations_.find(spawn.generation);
  if (child.role == Role::worker && bad != bad_generations_.end()) {
    return is_born_bad(spawn, bad->second);
  }
  if (const auto how = bad_program(child)) return is_born_bad(spawn, *how);
  switch (troubles_.faults ? pick(12) : 11) {
    case 0:
      return later(0s, child, ProcessExited{{ExitStatus::Kind::not_started, 11, false, "fork"}, {}},
                   true);
    case 1:
      return later(up_to(100ms), child, exited(1), true);
    case 2:
      return;  // never says a word
    case 3:
      return later(up_to(100ms), child, SaidReady{}, true);  // without hello
    case 4:
      later(1ms, child, SaidHello{});
      return later(up_to(20s), child, exited(2), true);  // never ready
    case 5:
      later(1ms, child, SaidHello{});
      return later(up_to(2s), child, ChannelEnded{}, true);
    default:
      return starts_well(child);
  }
}

/// How, if it is one that does not work.
std::optional<std::uint32_t> RandomMachine::bad_program(ChildId child) const {
  const auto& children = host_.cluster.children();
  if (child.role != Role::program || !children.contains(child)) return std::nullopt;
  const auto bad = bad_programs_.find(children.at(child).program);
  return bad == bad_programs_.end() ? std::nullopt : std::optional(bad->second);
}

/// As the others of its generation, so that none of them ever passes its trial.
void RandomMachine::is_born_bad(const Spawn& spawn, std::uint32_t how) {
  const ChildId child = spawn.child;
  if (how == 0) return later(up_to(kLongestStart), child, exited(1));
  later(1ms, child, SaidHello{});
  if (how == 1) return;  // never ready
  later(2ms, child, SaidReady{});
  const Duration soon = 2ms + up_to(plan_.settle / 2);
  if (how == 2) return later(soon, child, exited(3));
  if (how == 3) return later(soon, child, SaidSuicide{"it cannot work"});
  later(soon, child, Hung{"it stands"});
}

void RandomMachine::starts_well(ChildId child) {
  const Duration hello = up_to(kLongestStart / 2);
  const Duration ready = hello + up_to(kLongestStart / 2);
  later(hello, child, SaidHello{});
  later(ready, child, SaidReady{});
  misbehave_within(ready + (pick(4) == 0 ? Duration(10s) : Duration(300ms)), child);
}

void RandomMachine::misbehave_within(Duration longest, ChildId child) {
  const Duration life = up_to(longest);
  const std::uint32_t how = pick(6);
  const bool goodbye = how >= 4 && troubles_.goodbyes && child.role != Role::agent;
  if (goodbye && how == 4) return later(life, child, SaidSuicide{"it says so"}, true);
  if (goodbye) return later(life, child, Hung{"it stands"}, true);
  if (!troubles_.faults) return;
  if (how == 0) return later(life, child, ChannelEnded{}, true);
  if (how == 1) return later(life, child, BrokeProtocol{"it lies"}, true);
  if (how == 2) return later(life, child, SaidHello{}, true);
  later(life, child, killed_by(Signal::kill), true);
}

void RandomMachine::order_soon() {
  const auto done = [this] {
    order();
    order_soon();
  };
  due_.emplace(host_.now + up_to(500ms), Deed{done, true});
}

void RandomMachine::order() {
  if (!troubles_.orders || host_.children.empty()) return;
  const auto some =
      std::next(host_.children.begin(), pick(static_cast<std::uint32_t>(host_.children.size())));
  switch (pick(5)) {
    case 0:
      return happens(ScaleRequested{1 + pick(2 * plan_.workers)});
    case 1:
      if (troubles_.faults) happens(ChildHappened{some->first, AskedToDie{}});
      return;
    case 2:
    case 3:
      return happens(RecycleRequested{some->first, "it is old"});
    default:
      return roll_out();
  }
}

void RandomMachine::roll_out() {
  if (!host_.cluster.can_roll_out()) return;
  if (troubles_.bad_generations && pick(2) == 0) {
    bad_generations_[host_.cluster.next_generation()] = pick(5);
  }
  Plan plan = plan_;
  plan.program = program_;
  if (pick(3) == 0) plan.program = pick(4) == 0 ? 0 : ++programs_;
  const bool bad = plan.program == programs_ && plan.program != program_ && pick(2) == 0;
  if (troubles_.bad_generations && bad) bad_programs_[plan.program] = pick(5);
  to_be_program_ = plan.program;
  plan.workers = pick(4) == 0 ? 1 + pick(2 * plan_.workers) : workers();
  happens(RolloutRequested{plan});
}

bool RandomMachine::is_wanted(ChildId id) const {
  if (id.role == Role::agent) return host_.cluster.agent_slot().incumbent() == id;
  if (id.role == Role::program) {
    return host_.cluster.program_slot().incumbent() == id &&
           !host_.cluster.children().at(id).fsm.planned();
  }
  const std::uint32_t slot = number_of(host_.cluster.children().at(id).slot);
  if (slot >= workers()) return false;
  const SlotFsm& fsm = host_.cluster.slots()[slot];
  return fsm.incumbent() == id || fsm.challenger() == id;
}

void RandomMachine::judge() {
  std::erase_if(unwanted_since_,
                [&](const auto& entry) { return !host_.children.contains(entry.first); });
  for (const auto& [id, child] : host_.cluster.children()) {
    const ChildTimeouts& limits = plan_.timeouts(id.role);
    const Duration out = limits.drain + limits.kill + kLongestEnd;
    const bool in_time = child.fsm.was_ready() || now() - child.spawned_at <= limits.ready + out;
    must(in_time, "who does not get ready is gone in time");
    if (is_wanted(id)) continue;
    const TimePoint since = unwanted_since_.emplace(id, now()).first->second;
    must(now() - since <= out, "who is not wanted is gone in time");
  }
  std::erase_if(served_, [&](std::uint32_t slot) { return slot >= workers(); });
  for (std::uint32_t slot = 0; slot < workers(); ++slot) {
    const auto incumbent = host_.cluster.slots()[slot].incumbent();
    if (incumbent && host_.children.at(*incumbent).in_rotation) served_.insert(slot);
  }
}

}  // namespace clusterd::testing
