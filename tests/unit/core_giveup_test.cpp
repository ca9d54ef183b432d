// Deaths are counted, too many end the tries, and one that works brings all back.
#include "tests/support/cluster_stage.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>

namespace clusterd::core {

using namespace std::chrono_literals;
using namespace testing;

namespace {

Plan limited(std::uint32_t workers, std::uint32_t limit) {
  Plan plan = plan_for(workers);
  plan.death_limit = limit;
  plan.death_window = 60s;
  plan.giveup_retry = 60s;
  return plan;
}

/// The workers of slot 0 die one after the other, `deaths` of them, the first being worker 1.
ChildId die_in_slot_0(Stage& stage, std::uint32_t deaths) {
  ChildId last;
  for (std::uint32_t death = 0; death < deaths; ++death) {
    last = *stage.cluster().slots()[0].incumbent();
    (void)stage.die(last);
    (void)stage.wait(1s);
  }
  return last;
}

}  // namespace

TEST_CASE("the death that fills the window leaves its slot empty and the others alone") {
  Stage stage = running(limited(2, 10));
  (void)die_in_slot_0(stage, 9);
  CHECK_FALSE(stage.cluster().pool(Role::worker).gave_up);
  const ChildId last = *stage.cluster().slots()[0].incumbent();
  CHECK(stage.die(last) == "forget " + to_string(last));
  CHECK(stage.note(Note::Kind::giveup).child == last);
  CHECK(stage.note(Note::Kind::giveup).time == 60s);
  CHECK(stage.note(Note::Kind::giveup).exited);
  CHECK(stage.note(Note::Kind::giveup).status.value == 1);
  CHECK(stage.cluster().pool(Role::worker).gave_up);
  CHECK(stage.cluster().slots()[0].state() == SlotState::given_up);
  CHECK(stage.cluster().slots()[1].state() == SlotState::running);
  CHECK(stage.cluster().state() == ClusterState::running);
  CHECK(stage.wait(59s) == "");
}

TEST_CASE("a limit that is not given is ten, or three a worker") {
  CHECK(Cluster(plan_for(1)).pool(Role::worker).limiter.limit() == 10);
  CHECK(Cluster(plan_for(4)).pool(Role::worker).limiter.limit() == 12);
  Stage stage = running(4);
  (void)stage.tell(ScaleRequested{20});
  CHECK(stage.cluster().pool(Role::worker).limiter.limit() == 60);
  CHECK(stage.cluster().pool(Role::agent).limiter.limit() == 60);
}

TEST_CASE("a probe that becomes ready brings the pool back, and one that dies does not") {
  Stage stage = running(limited(3, 3));
  (void)die_in_slot_0(stage, 2);
  CHECK(stage.die(worker(2)) == "worker 2 out; forget worker 2");
  REQUIRE(stage.cluster().pool(Role::worker).gave_up);
  // Slot 0 has a worker that is not ready yet: it is healthy until it dies.
  const ChildId starting = *stage.cluster().slots()[0].incumbent();
  CHECK(stage.die(starting) == "forget " + to_string(starting));

  CHECK(stage.wait(59s) == "");
  CHECK(stage.wait(1s) == "spawn worker 6 in slot 0");
  CHECK(stage.die(worker(6)) == "forget worker 6");
  CHECK(stage.wait(59s) == "");
  CHECK(stage.wait(1s) == "spawn worker 7 in slot 0");
  CHECK(stage.bring_up(worker(7)) == "worker 7 in; spawn worker 8 in slot 1");
  CHECK(stage.note(Note::Kind::recover).child == worker(7));
  CHECK_FALSE(stage.cluster().pool(Role::worker).gave_up);
  CHECK(stage.bring_up(worker(8)) == "worker 8 in");
  CHECK(stage.cluster().ready() == 3);
  CHECK(stage.cluster().settled());
  CHECK(stage.wait(1h) == "");
}

TEST_CASE("a pool without the slots that were given up has not given up") {
  Stage stage = running(limited(3, 1));
  (void)stage.die(worker(3));
  REQUIRE(stage.cluster().pool(Role::worker).gave_up);
  (void)stage.tell(ScaleRequested{2});
  CHECK(stage.note(Note::Kind::recover).child.number == 0);
  CHECK_FALSE(stage.cluster().pool(Role::worker).gave_up);
  CHECK(stage.cluster().settled());
  CHECK(stage.wait(1h) == "");
}

TEST_CASE("a give-up tells how the last one died, and when the next is tried") {
  Stage stage = running(limited(2, 1));
  const ExitStatus status{ExitStatus::Kind::exited, 3, false, {}};
  (void)stage.tell(ChildHappened{worker(1), ProcessExited{status, "no key"}});
  const Note note = stage.note(Note::Kind::giveup);
  CHECK(note.exited);
  CHECK(note.status == status);
  CHECK(note.last_words == "no key");
  CHECK(stage.cluster().pool(Role::worker).probe_at == TimePoint{1h + 60s});
}

TEST_CASE("a slot that waited for its next worker is given up with the others") {
  Stage stage = running(limited(3, 3));
  (void)stage.die(worker(1));
  (void)stage.die(worker(4));
  REQUIRE(stage.cluster().slots()[0].state() == SlotState::backing_off);
  CHECK(stage.die(worker(2)) == "worker 2 out; forget worker 2");
  CHECK(stage.cluster().slots()[0].state() == SlotState::given_up);
  CHECK(stage.wait(59s) == "");
  CHECK(stage.wait(1s) == "spawn worker 5 in slot 0");
}

TEST_CASE("deaths that are further apart than the window never end the tries") {
  Stage stage = running(limited(1, 3));
  for (int death = 0; death < 100; ++death) {
    (void)stage.die(*stage.cluster().slots()[0].incumbent());
    (void)stage.wait(800ms);
    REQUIRE(stage.cluster().slots()[0].incumbent());
    (void)stage.bring_up(*stage.cluster().slots()[0].incumbent());
    (void)stage.wait(30s);
  }
  CHECK_FALSE(stage.cluster().pool(Role::worker).gave_up);
  CHECK(stage.cluster().ready() == 1);
}

TEST_CASE("where giving up is to be the end, it ends with its reason") {
  Plan plan = limited(2, 2);
  plan.exit_on_giveup = true;
  Stage stage = running(plan);
  (void)stage.die(worker(1));
  CHECK(stage.die(worker(3)) == "forget worker 3; stop accepting; worker 2 out");
  CHECK(stage.die(worker(2)) == "forget worker 2; agent 1 out");
  CHECK(stage.die(agent(1)) == "forget agent 1; finish: gave up");
  CHECK(stage.outcome()->why == "2 deaths, the last of worker 3");
  REQUIRE(stage.outcome()->status.has_value());
  CHECK(stage.outcome()->status->value == 1);
}

TEST_CASE("the agent has a limit of its own") {
  Stage stage = running(limited(1, 2));
  (void)stage.die(agent(1));
  CHECK(stage.die(agent(2)) == "forget agent 2");
  CHECK(stage.cluster().pool(Role::agent).gave_up);
  CHECK_FALSE(stage.cluster().pool(Role::worker).gave_up);
  CHECK(stage.die(worker(1)) == "worker 1 out; forget worker 1; spawn worker 2 in slot 0");
  CHECK(stage.wait(60s) == "TERM worker 2; KILL worker 2; spawn agent 3");
  CHECK(stage.bring_up(agent(3)) == "agent 3 in");
  CHECK_FALSE(stage.cluster().pool(Role::agent).gave_up);
}

TEST_CASE(
    "where the machine has no room for a worker it is asked each second, and nobody gives up") {
  Plan plan = limited(1, 10);
  plan.backoff_max = 10s;
  Stage stage = running(plan);
  const auto has_no_room = [&](std::uint32_t number) {
    const ExitStatus status{ExitStatus::Kind::not_started, EAGAIN, false, "fork"};
    return stage.tell(ChildHappened{worker(number), ProcessExited{status, {}}});
  };
  (void)stage.die(worker(1));
  for (std::uint32_t number = 2; number < 100; ++number) {
    REQUIRE(has_no_room(number) == "forget worker " + std::to_string(number));
    REQUIRE(stage.wait(1s) == "spawn worker " + std::to_string(number + 1) + " in slot 0");
  }
  CHECK_FALSE(stage.cluster().pool(Role::worker).gave_up);
  CHECK(stage.bring_up(worker(100)) == "worker 100 in");
}

TEST_CASE("deaths that were asked for do not count") {
  Stage stage = running(limited(1, 2));
  for (std::uint32_t number = 1; number <= 10; ++number) {
    (void)stage.tell(ChildHappened{worker(number), AskedToDie{}});
    (void)stage.die(worker(number));
    (void)stage.bring_up(worker(number + 1));
  }
  CHECK_FALSE(stage.cluster().pool(Role::worker).gave_up);
  CHECK(stage.cluster().ready() == 1);
}

TEST_CASE("a suicide counts, but its successor has to wait for nothing") {
  Stage stage = running(limited(1, 4));
  CHECK(stage.suicide(worker(1)) == "worker 1 out; spawn worker 2 in slot 0");
  (void)stage.bring_up(worker(2));
  CHECK(stage.suicide(worker(2)) == "worker 2 out; spawn worker 3 in slot 0");
  (void)stage.bring_up(worker(3));
  CHECK(stage.suicide(worker(3)) == "worker 3 out; spawn worker 4 in slot 0");
  (void)stage.bring_up(worker(4));
  CHECK(stage.suicide(worker(4)) == "worker 4 out");
  CHECK_FALSE(stage.note(Note::Kind::giveup).exited);
  CHECK(stage.note(Note::Kind::giveup).why == "it said suicide: it says so");
  CHECK(stage.cluster().pool(Role::worker).gave_up);
}

TEST_CASE("a probe whose slot is scaled away is no probe any more") {
  Stage stage = running(limited(2, 2));
  (void)stage.die(worker(2));
  (void)stage.die(worker(3));
  CHECK(stage.wait(60s) == "spawn worker 4 in slot 1");
  CHECK(stage.tell(ScaleRequested{1}) == "TERM worker 4");
  (void)stage.die(worker(4));
  (void)stage.wait(60s);
  CHECK_FALSE(stage.cluster().pool(Role::worker).gave_up);
  CHECK(stage.cluster().settled());
  CHECK(stage.tell(ScaleRequested{2}) == "spawn worker 5 in slot 1");
}

}  // namespace clusterd::core
