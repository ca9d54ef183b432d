// The agent program: its place in the start and the stop, its deaths, and what a reload does to it.
#include "tests/support/cluster_stage.h"

#include <doctest/doctest.h>

#include <chrono>

namespace clusterd::core {
namespace {

using namespace std::chrono_literals;
using testing::agent;
using testing::plan_for;
using testing::program;
using testing::running;
using testing::Stage;
using testing::worker;

Plan with_program(std::uint32_t workers, std::uint32_t number = 1) {
  Plan plan = plan_for(workers);
  plan.program = number;
  plan.settle = 500ms;
  return plan;
}

/// A rollout of this program, up to where its first worker has proved it.
std::string roll_out(Stage& stage, std::uint32_t number, std::uint32_t newest_worker = 2) {
  (void)stage.tell(RolloutRequested{with_program(1, number)});
  (void)stage.bring_up(worker(newest_worker));
  return stage.wait(500ms);
}

}  // namespace

TEST_CASE("the agent program starts when the agent is ready, and the workers when it is") {
  Stage stage(with_program(2));
  CHECK(stage.tell(Start{}) == "spawn agent 1");
  CHECK(stage.hello(agent(1)) == "");
  CHECK(stage.ready(agent(1)) == "agent 1 in; spawn agent program 1");
  CHECK(stage.hello(program(1)) == "");
  CHECK(stage.ready(program(1)) ==
        "agent program 1 in; spawn worker 1 in slot 0; spawn worker 2 in slot 1");
  CHECK(stage.bring_up(worker(1)) == "worker 1 in");
  CHECK(stage.bring_up(worker(2)) == "worker 2 in; announce");
  CHECK(stage.cluster().at_strength(Role::program));
}

TEST_CASE("an agent program that dies while the cluster starts ends the start") {
  Stage stage(with_program(1));
  (void)stage.tell(Start{});
  (void)stage.bring_up(agent(1));
  CHECK(stage.die(program(1)) == "forget agent program 1; spawn agent program 2");
  CHECK(stage.die(program(2)) == "forget agent program 2");
  CHECK(stage.wait(100ms) == "spawn agent program 3");
  CHECK(stage.die(program(3)) == "forget agent program 3; stop accepting; agent 1 out");
  CHECK(stage.die(agent(1)) == "forget agent 1; finish: never started");
  CHECK(stage.outcome()->why ==
        "agent program 3 ended before the cluster was ready: 3 deaths in a row in its slot");
}

TEST_CASE("one that is not ready in time ends the start as well") {
  Stage stage(with_program(1));
  (void)stage.tell(Start{});
  (void)stage.bring_up(agent(1));
  CHECK(stage.hello(program(1)) == "");
  CHECK(stage.wait(8s) == "TERM agent program 1");
  CHECK(stage.wait(1s) == "KILL agent program 1");
  CHECK(stage.die(program(1)) == "forget agent program 1; spawn agent program 2");
}

TEST_CASE("the death of an agent program disturbs nobody, and it is back after a delay") {
  Stage stage = running(with_program(2));
  CHECK(stage.die(program(1)) ==
        "agent program 1 out; forget agent program 1; spawn agent program 2");
  CHECK_FALSE(stage.cluster().at_strength(Role::program));
  CHECK(stage.cluster().ready() == 2);
  CHECK(stage.bring_up(program(2)) == "agent program 2 in");
  CHECK(stage.die(program(2)) == "agent program 2 out; forget agent program 2");
  CHECK(stage.wait(100ms) == "spawn agent program 3");
  CHECK(stage.cluster().restarts(Role::program) == 2);
  CHECK(stage.cluster().restarts(Role::agent) == 0);
  CHECK(stage.cluster().restarts(SlotId{0}) == 0);
  CHECK(stage.cluster().pool(Role::worker).limiter.in_window(TimePoint(1h)) == 0);
}

TEST_CASE("the death of the agent leaves its program alone") {
  Stage stage = running(with_program(1));
  CHECK(stage.die(agent(1)) == "agent 1 out; forget agent 1; spawn agent 2");
  CHECK(stage.cluster().at_strength(Role::program));
}

TEST_CASE("an agent program that dies too often is given up alone, and probed") {
  Plan plan = with_program(1);
  plan.death_limit = 3;
  Stage stage = running(plan);
  (void)stage.die(program(1));
  (void)stage.die(program(2));
  CHECK(stage.wait(100ms) == "spawn agent program 3");
  CHECK(stage.die(program(3)) == "forget agent program 3");
  CHECK(stage.note(Note::Kind::giveup).child == program(3));
  CHECK(stage.cluster().pool(Role::program).gave_up);
  CHECK_FALSE(stage.cluster().pool(Role::worker).gave_up);
  CHECK_FALSE(stage.cluster().pool(Role::agent).gave_up);
  CHECK(stage.cluster().state() == ClusterState::running);
  CHECK(stage.wait(60s) == "spawn agent program 4");
  CHECK(stage.die(program(4)) == "forget agent program 4");
  CHECK(stage.wait(60s) == "spawn agent program 5");
  CHECK(stage.bring_up(program(5)) == "agent program 5 in");
  CHECK_FALSE(stage.cluster().pool(Role::program).gave_up);
}

TEST_CASE("one that says suicide is replaced when it has gone and not before") {
  Stage stage = running(with_program(1));
  CHECK(stage.suicide(program(1)) == "agent program 1 out");
  CHECK(stage.wait(3s) == "");
  CHECK(stage.die(program(1)) == "forget agent program 1; spawn agent program 2");
  (void)stage.bring_up(program(2));
  // And it is ended if it stays.
  CHECK(stage.suicide(program(2)) == "agent program 2 out");
  CHECK(stage.wait(4s) == "TERM agent program 2");
  CHECK(stage.wait(1s) == "KILL agent program 2");
  CHECK(stage.die(program(2)) == "forget agent program 2; spawn agent program 3");
}

TEST_CASE("one that hangs is killed before the next is started") {
  Stage stage = running(with_program(1));
  CHECK(stage.hang(program(1)) == "agent program 1 out; ABRT agent program 1");
  CHECK(stage.wait(1s) == "KILL agent program 1");
  CHECK(stage.die(program(1)) == "forget agent program 1; spawn agent program 2");
}

TEST_CASE("at the stop it goes after the workers and before the agent") {
  Stage stage = running(with_program(2));
  CHECK(stage.tell(StopRequested{}) == "stop accepting; worker 1 out; worker 2 out");
  CHECK(stage.die(worker(2)) == "forget worker 2");
  CHECK(stage.die(worker(1)) == "forget worker 1; agent program 1 out");
  CHECK(stage.wait(4s) == "TERM agent program 1");
  CHECK(stage.wait(1s) == "KILL agent program 1");
  CHECK(stage.die(program(1)) == "forget agent program 1; agent 1 out");
  CHECK(stage.die(agent(1)) == "forget agent 1; finish");
}

TEST_CASE("a stop at once kills it with the others") {
  Stage stage = running(with_program(1));
  CHECK(stage.tell(StopRequested{true}) ==
        "stop accepting; worker 1 out; KILL agent 1; agent 1 out; "
        "KILL agent program 1; agent program 1 out; KILL worker 1");
}

TEST_CASE("a reload that does not change it leaves it alone") {
  Stage stage = running(with_program(1));
  CHECK(roll_out(stage, 1) == "commit; worker 1 out; rolled out");
  CHECK(stage.cluster().program_slot().incumbent() == program(1));
  CHECK(stage.wait(1s) == "");
  CHECK_FALSE(stage.cluster().rollout());
}

TEST_CASE("one that has new settings is started when the workers are proved and the old has gone") {
  Stage stage = running(with_program(1));
  CHECK(roll_out(stage, 2) == "commit; agent program 1 out; worker 1 out");
  CHECK(stage.die(worker(1)) == "forget worker 1");
  CHECK(stage.die(program(1)) == "forget agent program 1; spawn agent program 2");
  CHECK(stage.bring_up(program(2)) == "agent program 2 in");
  REQUIRE(stage.cluster().rollout());
  CHECK(stage.wait(500ms) == "rolled out");
  CHECK(stage.cluster().program_slot().deaths() == 0);
}

TEST_CASE("a reload fails with its new agent program, and the old one is back") {
  Stage stage = running(with_program(1));
  (void)roll_out(stage, 2);
  (void)stage.die(worker(1));
  (void)stage.die(program(1));
  CHECK(stage.hello(program(2)) == "");
  const std::string end = stage.die(program(2));
  CHECK(end.find("rollout failed") != std::string::npos);
  CHECK(end.find("spawn agent program 3") != std::string::npos);
  CHECK(number_of(stage.cluster().generation()) == 1);
  CHECK(stage.bring_up(program(3)) == "agent program 3 in");
  // It is the old one: the next reload has to change it again.
  CHECK(stage.cluster().children().at(program(3)).program == 1);
}

TEST_CASE("a new one that is ready and dies on its trial fails the reload too") {
  Stage stage = running(with_program(1));
  (void)roll_out(stage, 2);
  (void)stage.die(worker(1));
  (void)stage.die(program(1));
  (void)stage.bring_up(program(2));
  CHECK(stage.wait(400ms) == "");
  CHECK(stage.die(program(2)).find("rollout failed") != std::string::npos);
}

TEST_CASE("a reload that fails with its workers never touches the agent program") {
  Stage stage = running(with_program(1));
  (void)stage.tell(RolloutRequested{with_program(1, 2)});
  CHECK(stage.die(worker(2)).find("rollout failed") != std::string::npos);
  CHECK(stage.wait(1s) == "");
  CHECK(stage.cluster().program_slot().incumbent() == program(1));
}

TEST_CASE("a reload takes it away, and the next brings one") {
  Stage stage = running(with_program(1));
  CHECK(roll_out(stage, 0) == "commit; agent program 1 out; worker 1 out; rolled out");
  CHECK(stage.die(program(1)) == "forget agent program 1");
  CHECK(stage.wait(1s) == "");
  CHECK_FALSE(stage.cluster().rollout());
  CHECK(stage.cluster().at_strength(Role::program));  // of none
  CHECK(roll_out(stage, 3, 3) == "commit; spawn agent program 2; worker 2 out");
  CHECK(stage.bring_up(program(2)) == "agent program 2 in");
  CHECK(stage.wait(500ms) == "rolled out");
}

TEST_CASE("a reload tries at once what was given up, with other settings") {
  Plan plan = with_program(1);
  plan.death_limit = 1;
  Stage stage = running(plan);
  CHECK(stage.die(program(1)) == "agent program 1 out; forget agent program 1");
  REQUIRE(stage.cluster().pool(Role::program).gave_up);
  CHECK(roll_out(stage, 2) == "commit; spawn agent program 2; worker 1 out");
  CHECK(stage.bring_up(program(2)) == "agent program 2 in");
  CHECK_FALSE(stage.cluster().pool(Role::program).gave_up);
}

}  // namespace clusterd::core
