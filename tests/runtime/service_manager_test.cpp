#include "master/runtime/service_manager.h"

#include "master/runtime/service_status.h"
#include "tests/support/ear.h"
#include "tests/support/eventually.h"
#include "tests/support/plans.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using test::Ear;
using test::eventually;
using Lines = std::vector<std::string>;

constexpr ChildId kAgent{Role::agent, 1};
constexpr ChildId worker(std::uint32_t number) { return {Role::worker, number}; }

/// A cluster of two workers that does as it is told, and a manager that is told of it.
struct Stage {
  explicit Stage(os::SdNotify notify, std::uint32_t death_limit = 100)
      : cluster(plan(death_limit)), manager(io, std::move(notify), {}, cluster) {}

  static core::Plan plan(std::uint32_t death_limit) {
    core::Plan plan = testing::plan_for(2);
    plan.death_limit = death_limit;
    return plan;
  }

  void happens(const core::Event& event) {
    (void)cluster.step(now, event);
    manager.look();
  }
  void ready(ChildId child) {
    happens(core::ChildHappened{child, core::SaidHello{}});
    happens(core::ChildHappened{child, core::SaidReady{}});
  }
  void start() {
    manager.start();
    happens(core::Start{});
    for (const ChildId child : {kAgent, worker(1), worker(2)}) ready(child);
  }
  void dies(ChildId child) {
    happens(core::ChildHappened{
        child, core::ProcessExited{{core::ExitStatus::Kind::exited, 7, false, {}}, {}}});
  }
  void turn() {
    io.restart();
    io.poll();
  }

  boost::asio::io_context io;
  core::Cluster cluster;
  TimePoint now = Clock::now();
  ServiceManager manager;
};

/// Until it takes no more, as with a manager that does not read.
void fill(const std::string& address) {
  const os::SdNotify flood(address);
  while (flood.send("WATCHDOG=1") == os::SdNotify::Sent::yes) {
  }
}

}  // namespace

TEST_CASE("a cluster's status is one line that changes with what happens and no sooner") {
  const test::TempDir dir;
  Ear ear(dir.path("notify"));
  Stage stage{os::SdNotify(dir.path("notify"))};
  stage.start();
  CHECK(ear.told() == Lines{"STATUS=starting: 0 of 2 workers ready",
                            "STATUS=starting: 1 of 2 workers ready", "READY=1",
                            "STATUS=running: 2 of 2 workers ready"});
  stage.manager.look();
  CHECK(ear.told().size() == 4);

  stage.dies(kAgent);
  CHECK(ear.told().back() == "STATUS=degraded: 2 of 2 workers ready, no agent");
  stage.dies(worker(1));
  CHECK(ear.told().back() == "STATUS=degraded: 1 of 2 workers ready, no agent");
  stage.happens(core::StopRequested{false});
  const Lines told = ear.told();
  CHECK(told.at(told.size() - 2) == "STOPPING=1");
  stage.manager.finish("gave up: too many\nREADY=1");
  CHECK(ear.told().back() == "STATUS=gave up: too many READY=1");
  stage.manager.look();
  CHECK(ear.told().back() == "STATUS=gave up: too many READY=1");
}

TEST_CASE("given up says what the last one died of") {
  Stage stage{os::SdNotify(), 3};
  stage.start();
  for (std::uint32_t number = 1; number < 10; ++number) {
    if (stage.cluster.children().contains(worker(number))) stage.dies(worker(number));
  }
  REQUIRE(stage.cluster.pool(Role::worker).gave_up);
  const std::string status = service_status(stage.cluster);
  CHECK(status.starts_with("degraded: "));
  CHECK(status.ends_with("given up: the last one exited with code 7"));
}

TEST_CASE("what a manager does not read is said again, in order, and is bounded (fault 43)") {
  const test::TempDir dir;
  Ear ear(dir.path("notify"));
  fill(dir.path("notify"));
  Stage stage{os::SdNotify(dir.path("notify"))};
  stage.start();
  for (int time = 0; time < 1000; ++time) {
    stage.manager.reload_asked();
    stage.manager.look();
  }
  CHECK(ear.count("READY=1") == 0);
  CHECK(eventually(
      [&] {
        stage.turn();
        return ear.count("READY=1") > 0 && ear.told().back() == "READY=1";
      },
      20s));
  CHECK(ear.told().size() <= 4 * 16);
  CHECK(ear.count("RELOADING=1") == ear.count("READY=1"));
}

TEST_CASE("a manager that reads late hears that it is ready, whatever was to be said since") {
  const test::TempDir dir;
  Ear ear(dir.path("notify"));
  fill(dir.path("notify"));
  Stage stage{os::SdNotify(dir.path("notify"))};
  stage.start();
  std::uint32_t next = 3;
  for (int time = 0; time < 20; ++time) {
    stage.dies(worker(next - 1));
    if (!stage.cluster.children().contains(worker(next))) break;
    stage.ready(worker(next++));
  }
  CHECK(next > 3);
  stage.happens(core::StopRequested{false});
  CHECK(eventually(
      [&] {
        stage.turn();
        return ear.count("STOPPING=1") == 1;
      },
      20s));
  CHECK(ear.count("READY=1") == 1);
}

TEST_CASE("who asks for a reload in a reload hears of its own") {
  const test::TempDir dir;
  Ear ear(dir.path("notify"));
  Stage stage{os::SdNotify(dir.path("notify"))};
  stage.start();
  stage.manager.reload_asked();
  stage.manager.reload_asked();
  CHECK(ear.count("RELOADING=1") == 2);
  CHECK(ear.count("MONOTONIC_USEC=") == 2);
}

}  // namespace clusterd::runtime
