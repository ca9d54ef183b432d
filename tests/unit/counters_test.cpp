#include "master/runtime/counters.h"

#include "tests/support/cluster_stage.h"

#include <doctest/doctest.h>

#include <limits>

namespace clusterd::runtime {

using namespace std::chrono_literals;
using namespace testing;
using Cause = Counters::Cause;

namespace {

/// A cluster whose notes are counted.
struct Counted {
  explicit Counted(const core::Plan& plan) : stage(plan) {
    stage.on_note([this](const core::Note& note) { counters.saw(note); });
    (void)stage.tell(core::Start{});
    (void)stage.bring_up(agent(1));
    for (std::uint32_t number = 1; number <= plan.workers; ++number) {
      (void)stage.bring_up(worker(number));
    }
  }

  [[nodiscard]] std::uint64_t restarts() const {
    std::uint64_t all = 0;
    for (std::size_t cause = 0; cause < Counters::kCauses; ++cause) {
      all += counters.restarts(static_cast<Cause>(cause));
    }
    return all;
  }
  [[nodiscard]] const Counters::Slot& slot(std::uint32_t number) const {
    return counters.slots().at(SlotId{number});
  }

  Counters counters;
  Stage stage;
};

core::Plan calm(std::uint32_t workers) {
  core::Plan plan = plan_for(workers);
  plan.death_limit = 1000;
  return plan;
}

}  // namespace

TEST_CASE("each start of a worker after the first of its slot has one reason") {
  Counted pool(calm(2));
  CHECK(pool.restarts() == 0);
  CHECK(pool.slot(0).starts.value() == 1);

  SUBCASE("a crash") {
    (void)pool.stage.die(worker(1));
    CHECK(pool.counters.restarts(Cause::crash) == 1);
    CHECK(pool.counters.deaths(Counters::End::exit) == 1);
    CHECK(pool.slot(0).deaths.value() == 1);
    CHECK(pool.slot(0).starts.value() == 2);
  }
  SUBCASE("a suicide, and not the end that follows it") {
    (void)pool.stage.suicide(worker(1));
    (void)pool.stage.die(worker(1));
    CHECK(pool.counters.restarts(Cause::suicide) == 1);
  }
  SUBCASE("a hang") {
    (void)pool.stage.hang(worker(1));
    CHECK(pool.counters.restarts(Cause::hang) == 1);
  }
  SUBCASE("a recycling") {
    (void)pool.stage.tell(core::RecycleRequested{worker(1), "it is time"});
    CHECK(pool.counters.restarts(Cause::recycle) == 1);
    (void)pool.stage.bring_up(worker(3));
    (void)pool.stage.die(worker(1));
  }
  SUBCASE("the operator's kill") {
    (void)pool.stage.tell(core::ChildHappened{worker(1), core::AskedToDie{}});
    (void)pool.stage.die(worker(1));
    CHECK(pool.counters.restarts(Cause::kill) == 1);
    CHECK(pool.slot(0).deaths.value() == 0);
  }
  CHECK(pool.restarts() == 1);
}

TEST_CASE("a reload is a restart of each slot, and a reload") {
  core::Plan plan = calm(2);
  SUBCASE("the successor first") {}
  SUBCASE("the old one first") {
    plan.surge = 0;
    plan.max_unavailable = 1;
  }
  Counted pool(plan);
  (void)pool.stage.tell(core::RolloutRequested{plan});
  for (std::uint32_t number = 3; number <= 4; ++number) {
    (void)pool.stage.bring_up(worker(number));
    (void)pool.stage.wait(2s);
    (void)pool.stage.die(worker(number - 2));
  }
  CHECK(pool.counters.restarts(Cause::reload) == 2);
  CHECK(pool.restarts() == 2);
  CHECK(pool.counters.reloads(true) == 1);
  CHECK(pool.counters.reloads(false) == 0);
}

TEST_CASE("one that crashes when its successor is there is the reason of no later restart") {
  core::Plan plan = calm(1);
  Counted pool(plan);
  (void)pool.stage.tell(core::RecycleRequested{worker(1), "it is time"});
  (void)pool.stage.die(worker(1));
  (void)pool.stage.bring_up(worker(2));
  CHECK(pool.counters.restarts(Cause::recycle) == 1);
  (void)pool.stage.tell(core::RolloutRequested{plan});
  (void)pool.stage.bring_up(worker(3));
  CHECK(pool.counters.restarts(Cause::reload) == 1);
  CHECK(pool.counters.restarts(Cause::crash) == 0);
  CHECK(pool.restarts() == 2);
}

TEST_CASE("who is there because of a scale is no restart") {
  Counted pool(calm(1));
  (void)pool.stage.tell(core::ScaleRequested{2});
  (void)pool.stage.bring_up(worker(2));
  (void)pool.stage.tell(core::ScaleRequested{1});
  (void)pool.stage.die(worker(2));
  (void)pool.stage.tell(core::ScaleRequested{2});
  CHECK(pool.restarts() == 0);
  CHECK(pool.slot(1).starts.value() == 2);
}

TEST_CASE("what dead workers did stays with their slot") {
  Counted pool(calm(1));
  pool.counters.worker(worker(1), 10, 100);
  pool.counters.worker(worker(1), 15, 150);
  pool.counters.worker(worker(1), 17, 160);
  (void)pool.stage.die(worker(1));
  pool.counters.forget(worker(1));
  pool.counters.worker(worker(2), 3, 5);
  CHECK(pool.slot(0).taken.value() == 20);
  CHECK(pool.slot(0).requests.value() == 165);
}

TEST_CASE("a worker that lies about its counts brings no counter down and none to its end") {
  Counted pool(calm(1));
  pool.counters.worker(worker(1), 10, 100);
  std::uint64_t before = 0;
  for (const std::uint64_t claim :
       {std::uint64_t{7}, std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max(),
        std::uint64_t{1} << 63U, std::uint64_t{1}, std::uint64_t{200}}) {
    pool.counters.worker(worker(1), 10, claim);
    CHECK(pool.slot(0).requests.value() >= before);
    before = pool.slot(0).requests.value();
  }
  CHECK(before == 100 + 199);
}

TEST_CASE("a listener's counts are of its name, whatever serves it") {
  Counters counters;
  counters.listener(0, "http", 100, 1);
  counters.listener(1, "http", 5, 0);  // a reload has changed its policy
  counters.listener(0, "http", 101, 1);
  counters.listener_gone(0);
  CHECK(counters.listeners().at("http").accepted.value() == 106);
  CHECK(counters.listeners().at("http").open);
  counters.listener(0, "other", 2, 0);  // the index is another's now
  counters.listener(1, "http", 6, 2);
  counters.listener_gone(1);
  CHECK(counters.listeners().at("http").accepted.value() == 107);
  CHECK(counters.listeners().at("http").expired.value() == 3);
  CHECK_FALSE(counters.listeners().at("http").open);
  CHECK(counters.listeners().at("other").accepted.value() == 2);
}

TEST_CASE("a new name with every reload does not fill the memory") {
  Counters counters;
  counters.listener(0, "stays", 1, 0);
  for (int time = 0; time < 1000; ++time) {
    counters.listener(1, "name-" + std::to_string(time), 1, 0);
    counters.listener_gone(1);
  }
  CHECK(counters.listeners().size() <= 4 * core::kMaxListeners);
  CHECK(counters.listeners().contains("stays"));
}

TEST_CASE("every event is counted from 0, and what is none is not") {
  Counters counters;
  CHECK(counters.events().at("giveup").value() == 0);
  counters.event("giveup");
  counters.event("no such event");
  CHECK(counters.events().at("giveup").value() == 1);
  CHECK_FALSE(counters.events().contains("no such event"));
}

TEST_CASE("a counter stays at the largest number there is") {
  Counter counter;
  counter.add(std::numeric_limits<std::uint64_t>::max() - 1);
  counter.add(5);
  CHECK(counter.value() == std::numeric_limits<std::uint64_t>::max());
}

}  // namespace clusterd::runtime
