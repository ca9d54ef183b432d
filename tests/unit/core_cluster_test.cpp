#include "tests/support/cluster_stage.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace clusterd::core {

static doctest::String toString(ClusterState state) { return to_string(state); }

using namespace std::chrono_literals;
using namespace testing;

TEST_CASE("the agent starts first, then all workers, and when all are ready it is said once") {
  Stage stage(2);
  CHECK(stage.cluster().state() == ClusterState::idle);
  CHECK(stage.tell(Start{}) == "spawn agent 1");
  CHECK(stage.tell(Start{}) == "");
  CHECK(stage.hello(agent(1)) == "");
  CHECK(stage.ready(agent(1)) == "agent 1 in; spawn worker 1 in slot 0; spawn worker 2 in slot 1");
  CHECK(stage.bring_up(worker(2)) == "worker 2 in");
  CHECK(stage.cluster().state() == ClusterState::starting);
  CHECK(stage.cluster().ready() == 1);
  CHECK(stage.bring_up(worker(1)) == "worker 1 in; announce");
  CHECK(stage.cluster().state() == ClusterState::running);
  CHECK(stage.cluster().ready() == 2);
  CHECK(stage.wait(1h) == "");
}

TEST_CASE("a worker that dies is replaced at once, the next in its slot after growing delays") {
  Stage stage = running(2);
  CHECK(stage.die(worker(1)) == "worker 1 out; forget worker 1; spawn worker 3 in slot 0");
  CHECK(stage.bring_up(worker(3)) == "worker 3 in");
  CHECK(stage.die(worker(3)) == "worker 3 out; forget worker 3");
  CHECK(stage.note(Note::Kind::backing_off).time == 100ms);
  CHECK(stage.wait(99ms) == "");
  CHECK(stage.wait(1ms) == "spawn worker 4 in slot 0");
  CHECK(stage.die(worker(4)) == "forget worker 4");
  CHECK(stage.wait(199ms) == "");
  CHECK(stage.wait(1ms) == "spawn worker 5 in slot 0");
  CHECK(stage.cluster().restarts(SlotId{0}) == 3);

  CHECK(stage.die(worker(2)) == "worker 2 out; forget worker 2; spawn worker 6 in slot 1");
  CHECK(stage.cluster().restarts(SlotId{1}) == 1);
}

TEST_CASE("after a healthy life a slot's next death costs no delay again") {
  Stage stage = running(1);
  (void)stage.die(worker(1));
  (void)stage.bring_up(worker(2));
  CHECK(stage.wait(800ms) == "");
  CHECK(stage.die(worker(2)) == "worker 2 out; forget worker 2; spawn worker 3 in slot 0");
}

TEST_CASE("the agent is replaced as a worker is, and the workers go on") {
  Stage stage = running(1);
  CHECK(stage.cluster().restarts(Role::agent) == 0);
  CHECK(stage.die(agent(1)) == "agent 1 out; forget agent 1; spawn agent 2");
  CHECK(stage.bring_up(agent(2)) == "agent 2 in");
  CHECK(stage.die(agent(2)) == "agent 2 out; forget agent 2");
  CHECK(stage.wait(100ms) == "spawn agent 3");
  CHECK(stage.cluster().restarts(Role::agent) == 2);
  CHECK(stage.cluster().state() == ClusterState::running);
}

TEST_CASE("nothing is announced while the agent is away") {
  Stage stage(1);
  (void)stage.tell(Start{});
  (void)stage.bring_up(agent(1));
  CHECK(stage.die(agent(1)) == "agent 1 out; forget agent 1; spawn agent 2");
  CHECK(stage.bring_up(worker(1)) == "worker 1 in");
  CHECK(stage.cluster().state() == ClusterState::starting);
  CHECK(stage.bring_up(agent(2)) == "agent 2 in; announce");
}

TEST_CASE("a slot that loses three workers in a row ends the start") {
  Stage stage(2);
  (void)stage.tell(Start{});
  (void)stage.bring_up(agent(1));
  CHECK(stage.die(worker(1)) == "forget worker 1; spawn worker 3 in slot 0");
  CHECK(stage.die(worker(3)) == "forget worker 3");
  CHECK(stage.wait(100ms) == "spawn worker 4 in slot 0");
  CHECK(stage.die(worker(4)) == "forget worker 4; stop accepting; TERM worker 2");
  CHECK(stage.die(worker(2)) == "forget worker 2; agent 1 out");
  CHECK(stage.die(agent(1)) == "forget agent 1; finish: never started");
  const std::string& why = stage.outcome()->why;
  CAPTURE(why);
  CHECK(why.find("worker 4") != std::string::npos);
  CHECK(why.find("3 deaths in a row") != std::string::npos);
}

TEST_CASE("an agent that cannot be started ends the start before any worker") {
  Stage stage(2);
  (void)stage.tell(Start{});
  CHECK(stage.die(agent(1)) == "forget agent 1; spawn agent 2");
  CHECK(stage.die(agent(2)) == "forget agent 2");
  CHECK(stage.wait(100ms) == "spawn agent 3");
  CHECK(stage.die(agent(3)) == "forget agent 3; stop accepting; finish: never started");
}

TEST_CASE("two deaths in each slot do not end the start") {
  Stage stage(2);
  (void)stage.tell(Start{});
  (void)stage.bring_up(agent(1));
  for (const std::uint32_t number : {1U, 2U, 3U, 4U}) (void)stage.die(worker(number));
  CHECK(stage.wait(100ms) == "spawn worker 5 in slot 0; spawn worker 6 in slot 1");
  CHECK(stage.bring_up(worker(5)) == "worker 5 in");
  CHECK(stage.bring_up(worker(6)) == "worker 6 in; announce");
}

TEST_CASE("a stop ends accepting, then the workers, then the agent") {
  Stage stage = running(2);
  CHECK(stage.tell(StopRequested{}) == "stop accepting; worker 1 out; worker 2 out");
  CHECK(stage.tell(StopRequested{}) == "");
  CHECK(stage.die(worker(2)) == "forget worker 2");
  CHECK(stage.die(worker(1)) == "forget worker 1; agent 1 out");
  CHECK(stage.die(agent(1)) == "forget agent 1; finish");
  CHECK(stage.tell(StopRequested{true}) == "");
  CHECK(stage.tell(Start{}) == "");
  CHECK(stage.outcome() == Outcome{});
}

TEST_CASE("a stop takes no longer than the deadlines, whoever does not leave") {
  Stage stage = running(1);
  (void)stage.tell(StopRequested{});
  CHECK(stage.wait(5s) == "TERM worker 1");
  CHECK(stage.wait(3s) == "KILL worker 1");
  CHECK(stage.die(worker(1)) == "forget worker 1; agent 1 out");
  CHECK(stage.wait(2s) == "TERM agent 1");
  CHECK(stage.wait(2s) == "KILL agent 1");
  CHECK(stage.die(agent(1)) == "forget agent 1; finish");
}

TEST_CASE("a stop during the start ends what was started") {
  Stage stage(2);
  (void)stage.tell(Start{});
  SUBCASE("the agent alone") {
    CHECK(stage.tell(StopRequested{}) == "stop accepting; TERM agent 1");
    CHECK(stage.die(agent(1)) == "forget agent 1; finish");
  }
  SUBCASE("workers that are not ready") {
    (void)stage.bring_up(agent(1));
    (void)stage.bring_up(worker(1));
    CHECK(stage.tell(StopRequested{}) == "stop accepting; worker 1 out; TERM worker 2");
    CHECK(stage.ready(worker(2)) == "");
    CHECK(stage.die(worker(1)) == "forget worker 1");
    CHECK(stage.die(worker(2)) == "forget worker 2; agent 1 out");
    CHECK(stage.die(agent(1)) == "forget agent 1; finish");
  }
  CHECK(stage.outcome()->kind == Outcome::Kind::stopped);
}

TEST_CASE("a stop before the start is the end of it") {
  Stage stage(2);
  CHECK(stage.tell(StopRequested{}) == "stop accepting; finish");
  CHECK(stage.tell(Start{}) == "");
}

TEST_CASE("a stop now kills all at once") {
  Stage stage = running(2);
  SUBCASE("at first") {
    CHECK(stage.tell(StopRequested{true}) ==
          "stop accepting; worker 1 out; worker 2 out; KILL agent 1; agent 1 out; KILL worker 1; "
          "KILL worker 2");
  }
  SUBCASE("while they drain") {
    (void)stage.tell(StopRequested{});
    CHECK(stage.tell(StopRequested{true}) ==
          "KILL agent 1; agent 1 out; KILL worker 1; KILL worker 2");
  }
  CHECK(stage.tell(StopRequested{true}) == "");
  CHECK(stage.die(agent(1)) == "forget agent 1");
  CHECK(stage.die(worker(1)) == "forget worker 1");
  CHECK(stage.die(worker(2)) == "forget worker 2; finish");
}

TEST_CASE("nobody is forked while stopping") {
  Stage stage = running(2);
  (void)stage.die(worker(1));
  (void)stage.die(worker(3));
  REQUIRE(stage.cluster().slots()[0].state() == SlotState::backing_off);
  CHECK(stage.tell(StopRequested{}) == "stop accepting; worker 2 out");
  CHECK(stage.wait(1s) == "");
  CHECK(stage.die(agent(1)) == "agent 1 out; forget agent 1");
  CHECK(stage.hang_up(worker(2)) == "");
  CHECK(stage.die(worker(2)) == "forget worker 2; finish");
}

TEST_CASE("what is still said of a child that is gone is ignored") {
  Stage stage = running(1);
  (void)stage.die(worker(1));
  for (const ChildId id : {worker(1), worker(99), agent(2)}) {
    CHECK(stage.bring_up(id) == "");
    CHECK(stage.hang_up(id) == "");
    CHECK(stage.die(id) == "");
  }
}

TEST_CASE("the notes tell how long, how and why") {
  Stage stage(1);
  (void)stage.tell(Start{});
  (void)stage.wait(1s);
  (void)stage.bring_up(agent(1));
  CHECK(stage.note(Note::Kind::forked).child == worker(1));
  (void)stage.wait(2s);
  (void)stage.bring_up(worker(1));
  CHECK(stage.note(Note::Kind::ready).time == 2s);
  CHECK(stage.note(Note::Kind::all_ready).time == 3s);
  (void)stage.hang_up(worker(1));
  CHECK(stage.wait(1s) == "TERM worker 1");
  CHECK(stage.wait(2s) == "");
  (void)stage.die(worker(1));
  const Note gone = stage.note(Note::Kind::gone);
  CHECK(gone.child == worker(1));
  CHECK(gone.time == 5s);
  CHECK_FALSE(gone.planned);
  CHECK(gone.status.value == 1);
  CHECK(gone.why == "it closed its channel and lives on");
  (void)stage.bring_up(worker(2));
  (void)stage.tell(StopRequested{});
  CHECK(stage.note(Note::Kind::drain).child == worker(2));
  (void)stage.die(worker(2));
  CHECK(stage.note(Note::Kind::gone).planned);
  CHECK(stage.note(Note::Kind::gone).why == "");
}

}  // namespace clusterd::core
