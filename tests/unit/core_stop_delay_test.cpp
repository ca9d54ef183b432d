// stop_delay under virtual time: a stop first says that the cluster is not ready, and serves on.
#include "tests/support/cluster_stage.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace clusterd::core {

static doctest::String toString(ClusterState state) { return to_string(state); }

namespace {

using namespace std::chrono_literals;
using namespace testing;

Plan delayed(std::uint32_t workers, Duration delay = 10s) {
  Plan plan = plan_for(workers);
  plan.stop_delay = delay;
  plan.settle = 50ms;
  return plan;
}

}  // namespace

TEST_CASE("a stop serves on for stop_delay, and then drains") {
  Stage stage = running(delayed(2));
  CHECK(stage.tell(StopRequested{}) == "");
  CHECK(stage.cluster().state() == ClusterState::delaying);
  CHECK(stage.cluster().ready() == 2);
  CHECK(stage.wait(9999ms) == "");
  CHECK(stage.wait(1ms) == "stop accepting; worker 1 out; worker 2 out");
  CHECK(stage.cluster().state() == ClusterState::stopping);
}

TEST_CASE("without a stop_delay, a stop drains at once") {
  Stage stage = running(delayed(1, 0s));
  CHECK(stage.tell(StopRequested{}) == "stop accepting; worker 1 out");
}

TEST_CASE("a start that is stopped has nobody to serve, and waits for nothing") {
  Stage stage(delayed(1));
  (void)stage.tell(Start{});
  CHECK(stage.tell(StopRequested{}).starts_with("stop accepting"));
  CHECK(stage.cluster().state() == ClusterState::stopping);
}

TEST_CASE("a second stop changes nothing, and a stop now cuts the delay short") {
  Stage stage = running(delayed(1));
  (void)stage.tell(StopRequested{});
  const TimePoint at = stage.cluster().stops_at();
  (void)stage.wait(1s);
  CHECK(stage.tell(StopRequested{}) == "");
  CHECK(stage.cluster().stops_at() == at);
  CHECK(stage.tell(StopRequested{true}) ==
        "stop accepting; worker 1 out; KILL agent 1; agent 1 out; KILL worker 1");
  // The timer of the delay is nobody's any more.
  (void)stage.die(worker(1));
  CHECK(stage.die(agent(1)) == "forget agent 1; finish");
  CHECK(stage.wait(1h) == "");
}

TEST_CASE("who dies during the delay is replaced") {
  Stage stage = running(delayed(1));
  (void)stage.tell(StopRequested{});
  CHECK(stage.die(worker(1)) == "worker 1 out; forget worker 1; spawn worker 2 in slot 0");
  CHECK(stage.bring_up(worker(2)) == "worker 2 in");
  CHECK(stage.die(agent(1)) == "agent 1 out; forget agent 1; spawn agent 2");
  CHECK(stage.cluster().state() == ClusterState::delaying);
  CHECK(stage.wait(10s).find("stop accepting") != std::string::npos);
}

TEST_CASE("nobody who serves is replaced during the delay, and none is added") {
  Stage stage = running(delayed(1));
  (void)stage.tell(StopRequested{});
  CHECK(stage.tell(RecycleRequested{worker(1), "it is old"}) == "");
  CHECK(stage.tell(ScaleRequested{2}) == "");
  CHECK(stage.tell(RolloutRequested{delayed(1)}) == "");
  CHECK_FALSE(stage.cluster().can_roll_out());
  CHECK(stage.cluster().children().size() == 2);
}

TEST_CASE("a rollout that is under way ends with the request, and those who serve stay") {
  Stage stage = running(delayed(1));
  CHECK(stage.tell(RolloutRequested{delayed(1, 0s)}) == "spawn worker 2 in slot 0");
  // The delay is that of the settings that are in force.
  CHECK(stage.tell(StopRequested{}).starts_with("rollout failed: the cluster stops"));
  CHECK(stage.cluster().state() == ClusterState::delaying);
  CHECK(stage.cluster().ready() == 1);
  CHECK(stage.die(worker(1)).find("spawn worker 3 in slot 0") != std::string::npos);
}

TEST_CASE("a delay that only the new generation was to have is none") {
  Stage stage = running(delayed(1, 0s));
  (void)stage.tell(RolloutRequested{delayed(1)});
  CHECK(stage.tell(StopRequested{}).starts_with("stop accepting; rollout failed"));
  CHECK(stage.cluster().state() == ClusterState::stopping);
}

TEST_CASE("giving up during the delay ends it, where that is what giving up means") {
  Plan plan = delayed(1);
  plan.exit_on_giveup = true;
  plan.death_limit = 1;
  Stage stage = running(plan);
  (void)stage.tell(StopRequested{});
  CHECK(stage.die(worker(1)) == "worker 1 out; forget worker 1; stop accepting; agent 1 out");
  CHECK(stage.cluster().state() == ClusterState::stopping);
}

}  // namespace clusterd::core
