#include "master/runtime/readiness.h"

#include "tests/support/cluster_stage.h"

#include <doctest/doctest.h>

namespace clusterd::runtime {

using namespace std::chrono_literals;
using namespace testing;

TEST_CASE("a cluster is ready when all of its workers have been, and while one is") {
  Stage stage(2);
  CHECK_FALSE(readiness(stage.cluster()).ready);
  (void)stage.tell(core::Start{});
  (void)stage.bring_up(agent(1));
  (void)stage.bring_up(worker(1));
  CHECK_FALSE(readiness(stage.cluster()).ready);
  CHECK(readiness(stage.cluster()).reason == "the cluster starts: 1 of 2 workers are ready");
  (void)stage.bring_up(worker(2));
  CHECK(readiness(stage.cluster()).ready);
  CHECK(readiness(stage.cluster()).reason == "2 of 2 workers are ready");

  (void)stage.die(worker(1));
  CHECK(readiness(stage.cluster()).ready);
  (void)stage.die(worker(2));
  CHECK_FALSE(readiness(stage.cluster()).ready);
  CHECK(readiness(stage.cluster()).reason == "0 of 2 workers are ready");
}

TEST_CASE("workers that are still to come do not make it unready") {
  Stage stage = running(2);
  (void)stage.tell(core::ScaleRequested{8});
  CHECK(readiness(stage.cluster()).ready);
  CHECK(readiness(stage.cluster()).reason == "2 of 8 workers are ready");
}

TEST_CASE("of a pool that has given up half has to be ready") {
  core::Plan plan = plan_for(3);
  plan.death_limit = 2;
  plan.death_window = 60s;
  Stage stage = running(plan);
  (void)stage.die(worker(1));
  (void)stage.die(*stage.cluster().slots()[0].incumbent());
  REQUIRE(stage.cluster().pool(Role::worker).gave_up);
  CHECK(readiness(stage.cluster()).ready);
  (void)stage.die(worker(2));
  CHECK_FALSE(readiness(stage.cluster()).ready);
  CHECK(readiness(stage.cluster()).reason ==
        "1 of 3 workers are ready, and the cluster has given up");
}

TEST_CASE("a cluster that stops is not ready, while its workers still are") {
  Stage stage = running(2);
  (void)stage.tell(core::StopRequested{});
  CHECK_FALSE(readiness(stage.cluster()).ready);
  CHECK(readiness(stage.cluster()).reason == "the cluster stops");
}

}  // namespace clusterd::runtime
