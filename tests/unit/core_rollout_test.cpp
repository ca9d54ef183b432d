// A new generation takes over slot by slot, or leaves everything as it was.
#include "tests/support/cluster_stage.h"

#include <doctest/doctest.h>

#include <string>

namespace clusterd::core {

using namespace std::chrono_literals;
using namespace testing;

namespace {

Plan settling(std::uint32_t workers) {
  Plan plan = plan_for(workers);
  plan.settle = 1s;
  return plan;
}

Generation generation_in(const Stage& stage, std::uint32_t slot) {
  return stage.cluster().children().at(*stage.cluster().slots()[slot].incumbent()).generation;
}

}  // namespace

TEST_CASE("a new generation takes over slot by slot, and the first has to prove itself") {
  Stage stage = running(settling(2));
  CHECK(stage.tell(RolloutRequested{settling(2)}) == "spawn worker 3 in slot 0");
  CHECK_FALSE(stage.cluster().can_roll_out());
  CHECK(stage.cluster().generation() == Generation{2});
  CHECK(stage.bring_up(worker(3)) == "worker 3 in");
  CHECK(stage.wait(999ms) == "");
  CHECK(stage.wait(1ms) == "commit; worker 1 out; spawn worker 4 in slot 1");
  // The second has the trial behind it, as far as the one before it is concerned.
  CHECK(stage.bring_up(worker(4)) == "worker 4 in; worker 2 out");
  CHECK(stage.wait(1s) == "rolled out");
  CHECK(stage.cluster().can_roll_out());
  CHECK(stage.die(worker(1)) == "forget worker 1");
  CHECK(stage.die(worker(2)) == "forget worker 2");
  CHECK(generation_in(stage, 0) == Generation{2});
  CHECK(generation_in(stage, 1) == Generation{2});
  CHECK(stage.cluster().restarts(SlotId{1}) == 1);
  CHECK(stage.wait(1h) == "");
}

TEST_CASE("without a trial the first to be ready proves it") {
  Stage stage = running(2);
  (void)stage.tell(RolloutRequested{plan_for(2)});
  CHECK(stage.bring_up(worker(3)) == "worker 3 in; commit; worker 1 out; spawn worker 4 in slot 1");
  CHECK(stage.bring_up(worker(4)) == "worker 4 in; worker 2 out; rolled out");
}

TEST_CASE("a new worker that fails its trial leaves the old ones as they are") {
  Stage stage = running(settling(2));
  (void)stage.tell(RolloutRequested{settling(2)});
  SUBCASE("it dies before it is ready") {
    CHECK(stage.die(worker(3)) == "forget worker 3; rollout failed: ");
  }
  SUBCASE("it is not ready in time") {
    CHECK(stage.wait(10s) ==
          "TERM worker 3; rollout failed: it said no hello within ready_timeout");
    CHECK(stage.die(worker(3)) == "forget worker 3");
  }
  SUBCASE("it dies soon after it was ready") {
    (void)stage.bring_up(worker(3));
    (void)stage.wait(900ms);
    CHECK(stage.die(worker(3)) == "worker 3 out; forget worker 3; rollout failed: ");
    CHECK(stage.note(Note::Kind::gone).status.value == 1);
  }
  SUBCASE("it says suicide") {
    (void)stage.bring_up(worker(3));
    CHECK(stage.suicide(worker(3)) == "worker 3 out; rollout failed: it said suicide: it says so");
    CHECK(stage.die(worker(3)) == "forget worker 3");
  }
  CHECK(stage.cluster().can_roll_out());
  CHECK(stage.cluster().generation() == Generation{1});
  CHECK(stage.cluster().ready() == 2);
  CHECK(stage.wait(1h) == "");
  CHECK(stage.cluster().restarts(SlotId{0}) == 0);
  // Its number is not used again.
  (void)stage.tell(RolloutRequested{settling(2)});
  CHECK(stage.cluster().generation() == Generation{3});
}

TEST_CASE("a later worker that fails brings the old generation back everywhere") {
  Stage stage = running(settling(3));
  (void)stage.tell(RolloutRequested{settling(3)});
  (void)stage.bring_up(worker(4));
  CHECK(stage.wait(1s) == "commit; worker 1 out; spawn worker 5 in slot 1");
  CHECK(stage.die(worker(5)) == "forget worker 5; rollout failed: ; spawn worker 6 in slot 0");
  CHECK(stage.cluster().children().at(worker(6)).generation == Generation{1});
  CHECK(stage.bring_up(worker(6)) == "worker 6 in; worker 4 out");
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    CHECK(generation_in(stage, slot) == Generation{1});
  }
  CHECK(stage.cluster().settled());
}

TEST_CASE("who dies after its trial is replaced, and the rollout goes on") {
  Stage stage = running(settling(2));
  (void)stage.tell(RolloutRequested{settling(2)});
  (void)stage.bring_up(worker(3));
  (void)stage.wait(1s);
  CHECK(stage.die(worker(3)) == "worker 3 out; forget worker 3; spawn worker 5 in slot 0");
  CHECK(stage.cluster().children().at(worker(5)).generation == Generation{2});
  (void)stage.bring_up(worker(4));
  (void)stage.bring_up(worker(5));
  CHECK(stage.wait(1s) == "rolled out");
}

TEST_CASE("an old worker that dies meanwhile is replaced by what is known to work") {
  Stage stage = running(settling(2));
  (void)stage.tell(RolloutRequested{settling(2)});
  CHECK(stage.die(worker(2)) == "worker 2 out; forget worker 2; spawn worker 4 in slot 1");
  CHECK(stage.cluster().children().at(worker(4)).generation == Generation{1});
  SUBCASE("and one that has a successor on trial leaves its slot to it") {
    CHECK(stage.die(worker(1)) == "worker 1 out; forget worker 1");
    CHECK(stage.die(worker(3)) == "forget worker 3; rollout failed: ");
    CHECK(stage.wait(100ms) == "spawn worker 5 in slot 0");
    CHECK(stage.cluster().children().at(worker(5)).generation == Generation{1});
  }
}

TEST_CASE("more workers come, and fewer stay, when the new generation has proved itself") {
  Stage stage = running(settling(2));
  SUBCASE("more") {
    CHECK(stage.tell(RolloutRequested{settling(3)}) == "spawn worker 3 in slot 0");
    (void)stage.bring_up(worker(3));
    CHECK(stage.wait(1s) ==
          "commit; spawn worker 4 in slot 2; worker 1 out; spawn worker 5 in slot 1");
    (void)stage.bring_up(worker(4));
    (void)stage.bring_up(worker(5));
    CHECK(stage.wait(1s) == "rolled out");
    CHECK(stage.cluster().ready() == 3);
  }
  SUBCASE("fewer") {
    (void)stage.tell(RolloutRequested{settling(1)});
    (void)stage.bring_up(worker(3));
    CHECK(stage.wait(1s) == "commit; worker 2 out; worker 1 out; rolled out");
    CHECK(stage.cluster().ready() == 1);
  }
  SUBCASE("none, if it fails") {
    (void)stage.tell(RolloutRequested{settling(4)});
    (void)stage.die(worker(3));
    CHECK(stage.cluster().slots().size() == 2);
  }
}

TEST_CASE("a rollout that adds a slot, and fails of the worker in it, takes the slot away again") {
  Stage stage = running(settling(1));
  (void)stage.tell(RolloutRequested{settling(2)});
  (void)stage.bring_up(worker(2));
  CHECK(stage.wait(1s) == "commit; spawn worker 3 in slot 1; worker 1 out");
  CHECK(stage.die(worker(3)) == "forget worker 3; rollout failed: ; spawn worker 4 in slot 0");
  CHECK(stage.cluster().slots().size() == 1);
  CHECK(stage.bring_up(worker(4)) == "worker 4 in; worker 2 out");
  CHECK(stage.cluster().settled());
}

TEST_CASE("a new generation is tried in slots that were given up") {
  Plan plan = settling(2);
  plan.death_limit = 2;
  Stage stage = running(plan);
  (void)stage.die(worker(1));
  (void)stage.die(worker(3));
  REQUIRE(stage.cluster().slots()[0].state() == SlotState::given_up);
  CHECK(stage.tell(RolloutRequested{plan}) == "spawn worker 4 in slot 0");
  CHECK(stage.bring_up(worker(4)) == "worker 4 in");
  CHECK_FALSE(stage.cluster().pool(Role::worker).gave_up);
  CHECK(stage.wait(1s) == "commit; spawn worker 5 in slot 1");
  CHECK(stage.bring_up(worker(5)) == "worker 5 in; worker 2 out");
  CHECK(stage.wait(1s) == "rolled out");
  CHECK(stage.cluster().ready() == 2);
}

TEST_CASE("no more generations than may be alive: the oldest that drains is cut short") {
  Plan plan = plan_for(1);
  plan.max_generations = 2;
  plan.worker.drain = 1h;
  Stage stage = running(plan);
  (void)stage.tell(RolloutRequested{plan});
  CHECK(stage.bring_up(worker(2)) == "worker 2 in; commit; worker 1 out; rolled out");
  CHECK(stage.tell(RolloutRequested{plan}) == "TERM worker 1; spawn worker 3 in slot 0");
  CHECK(stage.bring_up(worker(3)) == "worker 3 in; commit; worker 2 out; rolled out");
}

TEST_CASE("generations that failed count among those that may be alive") {
  Plan plan = settling(2);
  plan.max_generations = 2;
  plan.worker.drain = 1h;
  Stage stage = running(plan);
  (void)stage.tell(RolloutRequested{plan});
  (void)stage.bring_up(worker(3));
  (void)stage.wait(1s);
  CHECK(stage.die(worker(4)).find("rollout failed") != std::string::npos);
  // The second generation's worker 3 gives way to the first's, and drains for an hour.
  CHECK(stage.bring_up(worker(5)) == "worker 5 in; worker 3 out");
  CHECK(stage.tell(RolloutRequested{plan}).starts_with("TERM worker 3; spawn"));
}

TEST_CASE("a rollout does not wait for what became of the last one's challengers") {
  Plan plan = settling(1);
  plan.backoff_first = 1h;
  plan.backoff_max = 1h;
  Stage stage = running(plan);
  for (std::uint32_t number = 2; number < 6; ++number) {
    CHECK(stage.tell(RolloutRequested{plan}) ==
          "spawn worker " + std::to_string(number) + " in slot 0");
    (void)stage.die(worker(number));
  }
}

TEST_CASE("a stop ends a rollout, which then has failed") {
  Stage stage = running(settling(1));
  (void)stage.tell(RolloutRequested{settling(1)});
  (void)stage.bring_up(worker(2));
  CHECK(stage.tell(StopRequested{}) ==
        "stop accepting; rollout failed: the cluster stops; worker 1 out; worker 2 out");
}

TEST_CASE("without surge the trial is the first that was replaced") {
  Plan plan = settling(3);
  plan.surge = 0;
  plan.max_unavailable = 1;
  Stage stage = running(plan);
  CHECK(stage.tell(RolloutRequested{plan}) == "spawn worker 4 in slot 0; worker 1 out");
  CHECK(stage.bring_up(worker(4)) == "worker 4 in");
  SUBCASE("it passes") {
    CHECK(stage.wait(1s) == "commit; spawn worker 5 in slot 1; worker 2 out");
  }
  SUBCASE("it fails") {
    CHECK(stage.die(worker(4)) ==
          "worker 4 out; forget worker 4; rollout failed: ; spawn worker 5 in slot 0");
    CHECK(stage.cluster().children().at(worker(5)).generation == Generation{1});
  }
}

}  // namespace clusterd::core
