#include "master/core/child_fsm.h"
#include "tests/support/every_order.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace clusterd::core {

static doctest::String toString(ChildState state) { return to_string(state); }

namespace {

using namespace std::chrono_literals;
using testing::must;

constexpr ChildTimeouts kTimeouts{30s, 5s, 3s};

const ExitStatus kStatus{ExitStatus::Kind::exited, 7, false, {}};

struct Describe {
  TimePoint now;

  std::string operator()(const CameOnline&) const { return "online"; }
  std::string operator()(const BecameReady&) const { return "ready"; }
  std::string operator()(const EndConnections&) const { return "end connections"; }
  std::string operator()(const Departs& departs) const {
    return (departs.cause == Departs::Cause::hang ? "hangs: " : "suicide: ") + departs.reason;
  }
  std::string operator()(const SendSignal& send) const {
    if (send.signal == Signal::abort) return "ABRT: " + send.why;
    return (send.signal == Signal::kill ? "KILL: " : "TERM: ") + send.why;
  }
  std::string operator()(const SetTimer& timer) const {
    return "timer " + std::to_string((timer.at - now) / 1s) + " s";
  }
  std::string operator()(const ChildGone& gone) const {
    return std::string("gone") + (gone.planned ? " as planned" : "") +
           (gone.was_ready ? ", was ready" : "") + ", exit " + std::to_string(gone.status.value);
  }
};

/// A child under a clock that goes on by a second with each event.
class Child {
 public:
  explicit Child(ChildTimeouts timeouts = kTimeouts) : fsm_(timeouts) {
    began_with_ = told(fsm_.start(now_, fresh()));
  }

  /// The actions, in words.
  std::string does(const ChildEvent& event) {
    now_ += 1s;
    return told(fsm_.step(now_, event, fresh()));
  }

  [[nodiscard]] const std::string& began_with() const { return began_with_; }
  [[nodiscard]] const ChildFsm& fsm() const { return fsm_; }
  [[nodiscard]] TimePoint now() const { return now_; }
  /// The last one set.
  [[nodiscard]] TimerId timer() const { return timers_.back(); }
  [[nodiscard]] TimerId first_timer() const { return timers_.front(); }

 private:
  TimerId fresh() { return TimerId{next_timer_++}; }

  std::string told(const ChildActions& actions) {
    std::string text;
    for (const ChildAction& action : actions) {
      if (!text.empty()) text += "; ";
      text += std::visit(Describe{now_}, action);
      if (const auto* timer = std::get_if<SetTimer>(&action)) timers_.push_back(timer->id);
    }
    return text;
  }

  ChildFsm fsm_;
  TimePoint now_{1h};
  std::uint64_t next_timer_ = 1;
  std::vector<TimerId> timers_;
  std::string began_with_;
};

using Deed = std::string (*)(Child&);

std::string hello(Child& child) { return child.does(SaidHello{}); }
std::string ready(Child& child) { return child.does(SaidReady{}); }
std::string leave(Child& child) { return child.does(AskedToLeave{}); }
std::string cut_short(Child& child) { return child.does(CutShort{"there is no time"}); }
std::string suicide(Child& child) { return child.does(SaidSuicide{"it says so"}); }
std::string hang(Child& child) { return child.does(Hung{"its loop stands"}); }
std::string die(Child& child) { return child.does(AskedToDie{}); }
std::string hang_up(Child& child) { return child.does(ChannelEnded{}); }
std::string talk_nonsense(Child& child) { return child.does(BrokeProtocol{"it talks nonsense"}); }
std::string time_out(Child& child) { return child.does(ChildTimer{child.timer()}); }
std::string exit(Child& child) { return child.does(ProcessExited{kStatus}); }

Child after(std::initializer_list<Deed> deeds) {
  Child child;
  for (const Deed deed : deeds) (void)deed(child);
  return child;
}

struct Edge {
  Deed deed;
  std::string actions;
  ChildState to;
};

void check_edges(std::initializer_list<Deed> before, ChildState from,
                 std::initializer_list<Edge> edges) {
  for (const Edge& edge : edges) {
    CAPTURE(edge.actions);
    CAPTURE(edge.to);
    Child child = after(before);
    REQUIRE(child.fsm().state() == from);
    CHECK(edge.deed(child) == edge.actions);
    CHECK(child.fsm().state() == edge.to);
  }
}

}  // namespace

TEST_CASE("a child has ready_timeout from its fork, and hello does not prolong it") {
  Child child;
  CHECK(child.began_with() == "timer 30 s");
  const TimePoint deadline = child.fsm().deadline();
  CHECK(deadline == child.now() + 30s);
  CHECK(hello(child) == "online");
  CHECK(child.fsm().deadline() == deadline);
}

TEST_CASE("a spawned child says hello, or is on its way out") {
  check_edges({}, ChildState::spawned,
              {{hello, "online", ChildState::online},
               {ready, "KILL: it said ready before hello", ChildState::killing},
               {leave, "TERM: it was asked to leave before it was ready; timer 3 s",
                ChildState::terminating},
               {die, "KILL: it was asked to die at once", ChildState::killing},
               {hang_up, "timer 1 s", ChildState::lost},
               {cut_short, "", ChildState::spawned},
               {suicide, "KILL: it said suicide before hello", ChildState::killing},
               {hang, "", ChildState::spawned},
               {talk_nonsense, "KILL: it talks nonsense", ChildState::killing},
               {time_out, "TERM: it said no hello within ready_timeout; timer 3 s",
                ChildState::terminating},
               {exit, "gone, exit 7", ChildState::exited}});
}

TEST_CASE("what a child was waited for is in the reason, until it is further") {
  Child child(kTimeouts);
  CHECK(child.does(Awaited{"is it built so?"}).empty());
  Child other = child;
  CHECK(time_out(other) ==
        "TERM: it said no hello within ready_timeout: is it built so?; timer 3 s");
  CHECK(child.does(SaidHello{}) == "online");
  other = child;
  CHECK(time_out(other) == "TERM: it was not ready within ready_timeout; timer 3 s");
  CHECK(child.does(Awaited{"it does not listen"}).empty());
  CHECK(child.does(Awaited{"it listens on one of two"}).empty());
  CHECK(time_out(child) ==
        "TERM: it was not ready within ready_timeout: it listens on one of two; timer 3 s");
}

TEST_CASE("one that may serve before it is ready finishes what it holds") {
  ChildTimeouts timeouts = kTimeouts;
  timeouts.serves_at_once = true;
  Child child(timeouts);
  CHECK(child.does(SaidHello{}) == "online");
  CHECK(child.does(AskedToLeave{}) == "end connections; timer 5 s");
  CHECK(child.fsm().state() == ChildState::draining);
  CHECK(child.does(SaidReady{}).empty());
  CHECK(child.does(ChildTimer{child.timer()}) ==
        "TERM: it was not drained within drain_timeout; timer 3 s");
}

TEST_CASE("a child that is online becomes ready, or is on its way out") {
  check_edges({hello}, ChildState::online,
              {{hello, "KILL: it said hello twice", ChildState::killing},
               {ready, "ready", ChildState::ready},
               {leave, "TERM: it was asked to leave before it was ready; timer 3 s",
                ChildState::terminating},
               {die, "KILL: it was asked to die at once", ChildState::killing},
               {hang_up, "timer 1 s", ChildState::lost},
               {cut_short, "", ChildState::online},
               {suicide, "suicide: it says so; timer 5 s", ChildState::draining},
               {hang, "", ChildState::online},
               {talk_nonsense, "KILL: it talks nonsense", ChildState::killing},
               {time_out, "TERM: it was not ready within ready_timeout; timer 3 s",
                ChildState::terminating},
               {exit, "gone, exit 7", ChildState::exited}});
}

TEST_CASE("whatever ends a child that is ready ends its connections first") {
  check_edges({hello, ready}, ChildState::ready,
              {{hello, "KILL: it said hello twice; end connections", ChildState::killing},
               {ready, "", ChildState::ready},
               {leave, "end connections; timer 5 s", ChildState::draining},
               {die, "KILL: it was asked to die at once; end connections", ChildState::killing},
               {hang_up, "end connections; timer 1 s", ChildState::lost},
               {cut_short, "", ChildState::ready},
               {suicide, "end connections; suicide: it says so; timer 5 s", ChildState::draining},
               {hang, "end connections; hangs: its loop stands; ABRT: its loop stands; timer 3 s",
                ChildState::terminating},
               {talk_nonsense, "KILL: it talks nonsense; end connections", ChildState::killing},
               {time_out, "", ChildState::ready},
               {exit, "end connections; gone, was ready, exit 7", ChildState::exited}});
}

TEST_CASE("a child that drains has until drain_timeout, then gets TERM") {
  check_edges({hello, ready, leave}, ChildState::draining,
              {{hello, "KILL: it said hello twice", ChildState::killing},
               {ready, "", ChildState::draining},
               {leave, "", ChildState::draining},
               {die, "KILL: it was asked to die at once", ChildState::killing},
               {hang_up, "timer 1 s", ChildState::lost},
               {cut_short, "TERM: there is no time; timer 3 s", ChildState::terminating},
               {suicide, "", ChildState::draining},
               {hang, "", ChildState::draining},
               {talk_nonsense, "KILL: it talks nonsense", ChildState::killing},
               {time_out, "TERM: it was not drained within drain_timeout; timer 3 s",
                ChildState::terminating},
               {exit, "gone as planned, was ready, exit 7", ChildState::exited}});
}

TEST_CASE("a child without its channel may exit by itself, until kill_timeout") {
  check_edges(
      {hello, ready, hang_up}, ChildState::lost,
      {{hello, "", ChildState::lost},
       {ready, "", ChildState::lost},
       {leave, "", ChildState::lost},
       {die, "KILL: it was asked to die at once", ChildState::killing},
       {hang_up, "", ChildState::lost},
       {cut_short, "", ChildState::lost},
       {suicide, "", ChildState::lost},
       {hang, "", ChildState::lost},
       {talk_nonsense, "KILL: it talks nonsense", ChildState::killing},
       {time_out, "TERM: it closed its channel and lives on; timer 3 s", ChildState::terminating},
       {exit, "gone, was ready, exit 7", ChildState::exited}});
}

TEST_CASE("a child that does not end after TERM is killed at its deadline") {
  check_edges(
      {hello, time_out}, ChildState::terminating,
      {{hello, "", ChildState::terminating},
       {ready, "", ChildState::terminating},
       {leave, "", ChildState::terminating},
       {die, "KILL: it was asked to die at once", ChildState::killing},
       {hang_up, "", ChildState::terminating},
       {cut_short, "", ChildState::terminating},
       {suicide, "", ChildState::terminating},
       {hang, "", ChildState::terminating},
       {talk_nonsense, "KILL: it talks nonsense", ChildState::killing},
       {time_out, "KILL: it did not end within kill_timeout after a signal", ChildState::killing},
       {exit, "gone, exit 7", ChildState::exited}});
}

TEST_CASE("after KILL only the exit is of interest") {
  for (const Deed deed :
       {hello, ready, leave, die, cut_short, suicide, hang, hang_up, talk_nonsense, time_out}) {
    check_edges({talk_nonsense}, ChildState::killing, {{deed, "", ChildState::killing}});
  }
  check_edges({talk_nonsense}, ChildState::killing, {{exit, "gone, exit 7", ChildState::exited}});
}

TEST_CASE("a child that has exited absorbs everything") {
  for (const Deed deed : {hello, ready, leave, die, cut_short, suicide, hang, hang_up,
                          talk_nonsense, time_out, exit}) {
    check_edges({hello, ready, exit}, ChildState::exited, {{deed, "", ChildState::exited}});
  }
}

TEST_CASE("a worker that will not drain and ignores TERM is killed") {
  Child child = after({hello, ready});
  CHECK(leave(child) == "end connections; timer 5 s");
  CHECK(child.fsm().deadline() == child.now() + 5s);
  CHECK(time_out(child) == "TERM: it was not drained within drain_timeout; timer 3 s");
  CHECK(child.fsm().deadline() == child.now() + 3s);
  CHECK(time_out(child) == "KILL: it did not end within kill_timeout after a signal");
  CHECK(exit(child) == "gone as planned, was ready, exit 7");
}

TEST_CASE("the timer of a state that a child has left does nothing") {
  Child child = after({hello, ready});
  CHECK(child.does(ChildTimer{child.first_timer()}) == "");
  (void)leave(child);
  CHECK(child.does(ChildTimer{child.first_timer()}) == "");
  CHECK(child.does(ChildTimer{TimerId{}}) == "");
  CHECK(child.fsm().state() == ChildState::draining);
  CHECK(time_out(child) == "TERM: it was not drained within drain_timeout; timer 3 s");
}

TEST_CASE("no timer id is awaited by a child that waits for none") {
  Child child = after({hello, ready});
  CHECK(child.does(ChildTimer{TimerId{}}) == "");
  CHECK(child.fsm().state() == ChildState::ready);
}

TEST_CASE("an end is planned once we asked for it, however the child then ends") {
  CHECK_FALSE(after({hello, ready, talk_nonsense}).fsm().planned());
  CHECK_FALSE(after({hello, time_out}).fsm().planned());
  CHECK_FALSE(after({hello, ready, hang_up, time_out}).fsm().planned());
  for (const Deed asked : {leave, die}) {
    CHECK(after({asked}).fsm().planned());
    CHECK(after({hello, ready, asked, talk_nonsense}).fsm().planned());
    CHECK(after({hello, ready, hang_up, asked}).fsm().planned());
  }
}

TEST_CASE("who departs of its own accord is not planned, until it is asked to leave too") {
  CHECK_FALSE(after({hello, ready, suicide}).fsm().planned());
  CHECK_FALSE(after({hello, ready, hang}).fsm().planned());
  Child child = after({hello, ready, suicide});
  CHECK(leave(child) == "");
  CHECK(child.fsm().planned());
}

TEST_CASE("how the process ended is passed on as it is") {
  ChildFsm fsm(kTimeouts);
  (void)fsm.start(TimePoint{}, TimerId{1});
  const ExitStatus status{ExitStatus::Kind::signaled, 11, true, "core dumped"};
  CHECK(fsm.step(TimePoint{}, ProcessExited{status, "oh no"}, TimerId{2}) ==
        ChildActions{ChildGone{status, false, false, "oh no"}});
}

namespace {

/// A child, and what was seen of it so far.
struct Life {
  ChildFsm fsm{kTimeouts};
  TimePoint now{1h};
  std::uint64_t last_timer = 0;
  std::optional<SetTimer> awaited;
  TimerId superseded{1000};  ///< at first, one that was never set
  bool asked = false;
  int ready = 0;
  int ended_connections = 0;
  int terminated = 0;
  int killed = 0;
  int departed = 0;
  int gone = 0;

  Life() { judge(fsm.start(now, TimerId{++last_timer})); }

  bool happens(const ChildEvent& event) {
    now += 1s;
    asked = asked || (gone == 0 && (std::holds_alternative<AskedToLeave>(event) ||
                                    std::holds_alternative<AskedToDie>(event)));
    judge(fsm.step(now, event, TimerId{++last_timer}));
    return true;
  }

  bool awaited_timer_fires() {
    if (!awaited) return false;
    const ChildState before = fsm.state();
    now = awaited->at;
    happens(ChildTimer{awaited->id});
    must(fsm.state() != before, "a deadline ends the state");
    return true;
  }

  bool stale_timer_fires() {
    const ChildState before = fsm.state();
    must(fsm.step(now, ChildTimer{superseded}, TimerId{++last_timer}).empty() &&
             fsm.state() == before,
         "a stale timer does nothing");
    return true;
  }

  void judge(const ChildActions& actions) {
    for (const ChildAction& action : actions) {
      must(gone == 0, "nothing is done for a child that is gone");
      std::visit([this](const auto& what) { seen(what); }, action);
    }
    judge_state();
  }

  void seen(const CameOnline&) { must(ready == 0 && terminated + killed == 0, "online first"); }

  void seen(const BecameReady&) {
    must(++ready == 1, "ready once");
    must(ended_connections + terminated + killed == 0, "ready before all ends");
  }

  void seen(const EndConnections&) {
    must(ready == 1, "connections end only where they began");
    must(++ended_connections == 1, "connections end once");
  }

  void seen(const Departs& departs) {
    must(++departed == 1, "it departs once");
    must(!departs.reason.empty(), "it says why");
    must(!asked && terminated + killed == 0, "who is on the way out does not depart");
    must(ready == ended_connections, "who departs gets no connections");
  }

  void seen(const SendSignal& send) {
    must(!send.why.empty(), "a signal has a reason");
    must(killed == 0, "no signal after KILL");
    if (send.signal == Signal::kill) {
      ++killed;
    } else {
      must(ready == ended_connections, "no signal to a child that gets connections");
      must(++terminated == 1, "TERM once");
    }
  }

  void seen(const SetTimer& timer) {
    must(timer.id == TimerId{last_timer}, "a timer has the fresh number");
    must(timer.at > now, "a timer is in the future");
    if (awaited) superseded = awaited->id;
    awaited = timer;
  }

  void seen(const ChildGone& end) {
    must(++gone == 1, "gone once");
    must(end.status == kStatus && end.planned == asked && end.was_ready == (ready == 1),
         "gone tells the truth");
    must(ready == ended_connections, "connections end before the child does");
  }

  void judge_state() {
    const ChildState state = fsm.state();
    must((state == ChildState::exited) == (gone == 1), "exited is gone");
    must(terminated + killed == 0 || ready == ended_connections,
         "who was sent a signal gets no connections");
    must((state == ChildState::ready) == (ready == 1 && ended_connections == 0 && gone == 0),
         "ready lasts until connections end");
    if (state == ChildState::ready || state == ChildState::killing || state == ChildState::exited) {
      if (awaited) superseded = awaited->id;
      awaited.reset();
    } else {
      must(awaited && fsm.deadline() == awaited->at, "whoever is on the way has a deadline");
    }
  }

  /// Whatever it does not do any more, time brings it to where only the kernel's word is missing.
  void cannot_stay() const {
    Life rest = *this;
    int timers = 0;
    while (rest.awaited_timer_fires()) must(++timers <= 4, "four timers are enough");
    must(rest.fsm.state() == ChildState::ready || rest.fsm.state() == ChildState::killing ||
             rest.fsm.state() == ChildState::exited,
         "time alone brings a child to KILL");
    rest.happens(ProcessExited{kStatus});
    must(rest.fsm.state() == ChildState::exited && rest.gone == 1, "an exit ends it");
  }
};

const std::vector<testing::Move<Life>> kAllMoves{
    {"hello", [](Life& life) { return life.happens(SaidHello{}); }},
    {"ready", [](Life& life) { return life.happens(SaidReady{}); }},
    {"asked to leave", [](Life& life) { return life.happens(AskedToLeave{}); }},
    {"asked to die", [](Life& life) { return life.happens(AskedToDie{}); }},
    {"cut short", [](Life& life) { return life.happens(CutShort{"no time"}); }},
    {"suicide", [](Life& life) { return life.happens(SaidSuicide{"it says so"}); }},
    {"hung", [](Life& life) { return life.happens(Hung{"it stands"}); }},
    {"channel ended", [](Life& life) { return life.happens(ChannelEnded{}); }},
    {"broke protocol", [](Life& life) { return life.happens(BrokeProtocol{"nonsense"}); }},
    {"timer", [](Life& life) { return life.awaited_timer_fires(); }},
    {"stale timer", [](Life& life) { return life.stale_timer_fires(); }},
    {"exited", [](Life& life) { return life.happens(ProcessExited{kStatus}); }},
};

}  // namespace

TEST_CASE("a child keeps all promises in every order of events") {
  const std::size_t played = testing::every_order(Life{}, 6, kAllMoves);
  CHECK(played > 300'000);
}

TEST_CASE("no child can stay on its way in or out for ever") {
  std::vector<testing::Move<Life>> moves = kAllMoves;
  moves.push_back({"and then only time passes", [](Life& life) {
                     life.cannot_stay();
                     return false;
                   }});
  const std::size_t played = testing::every_order(Life{}, 6, moves);
  CHECK(played > 300'000);
}

}  // namespace clusterd::core
