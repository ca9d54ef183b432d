// Who leaves has a successor: forked when it is said that it will go, ready before it goes.
#include "tests/support/cluster_stage.h"

#include <doctest/doctest.h>

#include <string>

namespace clusterd::core {

using namespace std::chrono_literals;
using namespace testing;

TEST_CASE("a worker that says suicide is replaced when it says so, once, and drains meanwhile") {
  Stage stage = running(2);
  CHECK(stage.suicide(worker(1)) == "worker 1 out; spawn worker 3 in slot 0");
  CHECK(stage.note(Note::Kind::suicide).why == "it says so");
  CHECK(stage.suicide(worker(1)) == "");
  CHECK(stage.bring_up(worker(3)) == "worker 3 in");
  SUBCASE("it leaves") { CHECK(stage.die(worker(1)) == "forget worker 1"); }
  SUBCASE("it hangs up and leaves") {
    CHECK(stage.hang_up(worker(1)) == "");
    CHECK(stage.die(worker(1)) == "forget worker 1");
  }
  SUBCASE("it does not leave") {
    CHECK(stage.wait(5s) == "TERM worker 1");
    CHECK(stage.wait(3s) == "KILL worker 1");
    CHECK(stage.die(worker(1)) == "forget worker 1");
  }
  CHECK(stage.cluster().ready() == 2);
  CHECK(stage.wait(1h) == "");
}

TEST_CASE("a suicide before it was ready is a death, with its delays") {
  Stage stage = running(1);
  (void)stage.die(worker(1));
  (void)stage.hello(worker(2));
  CHECK(stage.suicide(worker(2)) == "");
  CHECK(stage.note(Note::Kind::backing_off).time == 100ms);
  CHECK(stage.die(worker(2)) == "forget worker 2");
  CHECK(stage.wait(100ms) == "spawn worker 3 in slot 0");
}

TEST_CASE("a worker that hangs is replaced at once, and gets ABRT and KILL") {
  Stage stage = running(2);
  CHECK(stage.hang(worker(2)) == "worker 2 out; spawn worker 3 in slot 1; ABRT worker 2");
  CHECK(stage.note(Note::Kind::hang).why == "its loop stands");
  CHECK(stage.bring_up(worker(3)) == "worker 3 in");
  CHECK(stage.wait(3s) == "KILL worker 2");
  CHECK(stage.die(worker(2)) == "forget worker 2");
  CHECK(stage.wait(1h) == "");
}

TEST_CASE("a recycled worker leaves when its successor is ready, and one at a time") {
  Stage stage = running(3);
  CHECK(stage.tell(RecycleRequested{worker(2), "it is old"}) == "spawn worker 4 in slot 1");
  CHECK(stage.tell(RecycleRequested{worker(3), "it is old"}) == "");
  CHECK(stage.tell(RecycleRequested{worker(2), "it is very old"}) == "");
  CHECK_FALSE(stage.cluster().settled());
  CHECK(stage.hello(worker(4)) == "");
  CHECK(stage.ready(worker(4)) == "worker 4 in; worker 2 out; spawn worker 5 in slot 2");
  CHECK(stage.note(Note::Kind::drain).child == worker(2));
  CHECK(stage.note(Note::Kind::drain).why == "it is old");
  CHECK(stage.bring_up(worker(5)) == "worker 5 in; worker 3 out");
  CHECK(stage.cluster().settled());
  CHECK(stage.die(worker(2)) == "forget worker 2");
  CHECK(stage.die(worker(3)) == "forget worker 3");
  CHECK(stage.wait(1h) == "");
  CHECK(stage.cluster().pool(Role::worker).limiter.in_window(TimePoint{2h}) == 0);
}

TEST_CASE("the budget: as many successors at once as surge says") {
  Plan plan = plan_for(4);
  plan.surge = 2;
  Stage stage = running(plan);
  std::string all;
  for (const std::uint32_t number : {1U, 2U, 3U, 4U}) {
    all += stage.tell(RecycleRequested{worker(number), "it is old"}) + ".";
  }
  CHECK(all == "spawn worker 5 in slot 0.spawn worker 6 in slot 1...");
  CHECK(stage.bring_up(worker(6)) == "worker 6 in; worker 2 out; spawn worker 7 in slot 2");
}

TEST_CASE("without surge a worker leaves first, if one may be missing") {
  Plan plan = plan_for(2);
  plan.surge = 0;
  plan.max_unavailable = 1;
  Stage stage = running(plan);
  CHECK(stage.tell(RecycleRequested{worker(1), "it is old"}) ==
        "spawn worker 3 in slot 0; worker 1 out");
  CHECK(stage.tell(RecycleRequested{worker(2), "it is old"}) == "");
  CHECK(stage.bring_up(worker(3)) == "worker 3 in; spawn worker 4 in slot 1; worker 2 out");
}

TEST_CASE("a successor that dies costs nobody its worker, and is tried again after a delay") {
  Stage stage = running(1);
  (void)stage.tell(RecycleRequested{worker(1), "it is old"});
  CHECK(stage.die(worker(2)) == "forget worker 2; spawn worker 3 in slot 0");
  CHECK(stage.die(worker(3)) == "forget worker 3");
  CHECK(stage.cluster().ready() == 1);
  CHECK(stage.wait(99ms) == "");
  CHECK(stage.wait(1ms) == "spawn worker 4 in slot 0");
  CHECK(stage.wait(10s) == "TERM worker 4");
  CHECK(stage.die(worker(4)) == "forget worker 4");
  CHECK(stage.wait(200ms) == "spawn worker 5 in slot 0");
  CHECK(stage.bring_up(worker(5)) == "worker 5 in; worker 1 out");
}

TEST_CASE("who is to be replaced and dies first leaves its slot to the successor") {
  Stage stage = running(1);
  (void)stage.tell(RecycleRequested{worker(1), "it is old"});
  CHECK(stage.die(worker(1)) == "worker 1 out; forget worker 1");
  CHECK(stage.bring_up(worker(2)) == "worker 2 in");
  CHECK(stage.cluster().settled());
  CHECK(stage.wait(1h) == "");
}

TEST_CASE("scaled up, new slots are filled, and scaled down, the highest leave") {
  Stage stage = running(2);
  CHECK(stage.tell(ScaleRequested{4}) == "spawn worker 3 in slot 2; spawn worker 4 in slot 3");
  CHECK(stage.note(Note::Kind::scale).why == "2 -> 4");
  CHECK_FALSE(stage.cluster().settled());
  (void)stage.bring_up(worker(3));
  CHECK(stage.tell(ScaleRequested{1}) == "TERM worker 4; worker 3 out; worker 2 out");
  CHECK(stage.cluster().children().contains(worker(3)));
  CHECK(stage.cluster().restarts(SlotId{2}) == 0);  // asked by the status for who leaves
  CHECK(stage.cluster().settled());
  CHECK(stage.tell(ScaleRequested{2}) == "spawn worker 5 in slot 1");
  CHECK(stage.die(worker(2)) == "forget worker 2");
  CHECK(stage.die(worker(3)) == "forget worker 3");
  CHECK(stage.die(worker(4)) == "forget worker 4");
  CHECK(stage.bring_up(worker(5)) == "worker 5 in");
  CHECK(stage.tell(ScaleRequested{0}) == "worker 5 out");
  CHECK(stage.cluster().slots().size() == 1);
  CHECK(stage.wait(1h) == "TERM worker 5; KILL worker 5");
}

TEST_CASE("a slot that is scaled away has no restarts, and starts anew with none") {
  Stage stage = running(2);
  (void)stage.die(worker(2));
  (void)stage.bring_up(worker(3));
  CHECK(stage.cluster().restarts(SlotId{1}) == 1);
  CHECK(stage.tell(ScaleRequested{1}) == "worker 3 out");
  // It drains, so it is still shown.
  CHECK(stage.cluster().children().contains(worker(3)));
  CHECK(stage.cluster().restarts(SlotId{1}) == 0);
  (void)stage.tell(ScaleRequested{2});
  CHECK(stage.cluster().restarts(SlotId{1}) == 0);
  CHECK_FALSE(stage.cluster().last_exit(SlotId{1}));
}

TEST_CASE("scaled while it starts, all that are wanted are waited for") {
  Stage stage(3);
  (void)stage.tell(Start{});
  (void)stage.bring_up(agent(1));
  (void)stage.bring_up(worker(1));
  CHECK(stage.tell(ScaleRequested{4}) == "spawn worker 4 in slot 3");
  (void)stage.bring_up(worker(4));
  CHECK(stage.cluster().state() == ClusterState::starting);
  CHECK(stage.tell(ScaleRequested{1}) == "worker 4 out; TERM worker 3; TERM worker 2; announce");
}

TEST_CASE("what is asked of a cluster that stops comes too late") {
  Stage stage = running(2);
  (void)stage.tell(StopRequested{});
  CHECK(stage.tell(ScaleRequested{4}) == "");
  CHECK(stage.tell(RecycleRequested{worker(1), "it is old"}) == "");
  CHECK(stage.suicide(worker(1)) == "");
  CHECK(stage.tell(RolloutRequested{plan_for(2)}) == "");
}

}  // namespace clusterd::core
