#include "tests/support/cluster_stage.h"

#include <doctest/doctest.h>

#include <utility>
#include <variant>

namespace clusterd::testing {

using namespace core;
using namespace std::chrono_literals;

namespace {

/// An action in words; nothing for notes and timers.
struct ActionInWords {
  std::string operator()(const Spawn& spawn) const {
    std::string child = "spawn " + to_string(spawn.child);
    if (spawn.child.role != Role::worker) return child;
    return child + " in slot " + std::to_string(number_of(spawn.slot));
  }
  std::string operator()(const EnterRotation& enter) const {
    return to_string(enter.child) + " in";
  }
  std::string operator()(const LeaveRotation& leave) const {
    return to_string(leave.child) + " out";
  }
  std::string operator()(const SignalChild& send) const {
    if (send.signal == Signal::abort) return "ABRT " + to_string(send.child);
    return (send.signal == Signal::kill ? "KILL " : "TERM ") + to_string(send.child);
  }
  std::string operator()(const Forget& forget) const { return "forget " + to_string(forget.child); }
  std::string operator()(const StopAccepting&) const { return "stop accepting"; }
  std::string operator()(const AnnounceReady&) const { return "announce"; }
  std::string operator()(const Finish& finish) const {
    if (finish.outcome.kind == Outcome::Kind::gave_up) return "finish: gave up";
    return finish.outcome.kind == Outcome::Kind::stopped ? "finish" : "finish: never started";
  }
  std::string operator()(const RolloutCommitted&) const { return "commit"; }
  std::string operator()(const RolloutEnded& ended) const {
    return ended.done ? "rolled out" : "rollout failed: " + ended.why;
  }
  std::string operator()(const SetTimer&) const { return ""; }
  std::string operator()(const Note&) const { return ""; }
};

void add_words(std::string& text, const std::string& words) {
  if (!text.empty() && !words.empty()) text += "; ";
  text += words;
}

}  // namespace

std::string Stage::tell(const Event& event) {
  notes_.clear();
  std::string text;
  for (const Action& action : cluster_.step(now_, event)) {
    if (const auto* timer = std::get_if<SetTimer>(&action)) timers_.emplace(timer->at, timer->id);
    if (const auto* finish = std::get_if<Finish>(&action)) outcome_ = finish->outcome;
    if (const auto* note = std::get_if<Note>(&action)) {
      notes_.push_back(*note);
      if (noted_) noted_(*note);
    }
    add_words(text, std::visit(ActionInWords{}, action));
  }
  return text;
}

std::string Stage::hello(ChildId child) { return tell(ChildHappened{child, SaidHello{}}); }
std::string Stage::ready(ChildId child) { return tell(ChildHappened{child, SaidReady{}}); }
std::string Stage::hang_up(ChildId child) { return tell(ChildHappened{child, ChannelEnded{}}); }
std::string Stage::die(ChildId child) {
  return tell(ChildHappened{child, ProcessExited{{ExitStatus::Kind::exited, 1, false, {}}}});
}

std::string Stage::suicide(ChildId child) {
  return tell(ChildHappened{child, SaidSuicide{"it says so"}});
}
std::string Stage::hang(ChildId child) {
  return tell(ChildHappened{child, Hung{"its loop stands"}});
}

std::string Stage::bring_up(ChildId child) {
  std::string text = hello(child);
  add_words(text, ready(child));
  return text;
}

std::string Stage::wait(Duration duration) {
  const TimePoint end = now_ + duration;
  std::string text;
  while (!timers_.empty() && timers_.begin()->first <= end) {
    now_ = timers_.begin()->first;
    const TimerId id = timers_.begin()->second;
    timers_.erase(timers_.begin());
    add_words(text, tell(TimerFired{id}));
  }
  now_ = end;
  return text;
}

Note Stage::note(Note::Kind kind) const {
  for (const Note& note : notes_) {
    if (note.kind == kind) return note;
  }
  FAIL("no such note");
  return {};
}

ChildId agent(std::uint32_t number) { return {Role::agent, number}; }
ChildId program(std::uint32_t number) { return {Role::program, number}; }
ChildId worker(std::uint32_t number) { return {Role::worker, number}; }

Stage running(const Plan& plan) {
  Stage stage(plan);
  const std::uint32_t workers = plan.workers;
  (void)stage.tell(Start{});
  (void)stage.bring_up(agent(1));
  if (plan.program != 0) (void)stage.bring_up(program(1));
  for (std::uint32_t number = 1; number <= workers; ++number) (void)stage.bring_up(worker(number));
  REQUIRE(stage.cluster().state() == ClusterState::running);
  return stage;
}

Stage running(std::uint32_t workers) { return running(plan_for(workers)); }

}  // namespace clusterd::testing
