#include "tests/support/cluster_host.h"
#include "tests/support/every_order.h"
#include "tests/support/plans.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

namespace clusterd::core {
namespace {

using namespace std::chrono_literals;
using testing::ClusterHost;
using testing::must;
using testing::plan_for;

// A move deeper than what is soon played, where nothing slows it down; with the sanitizers, which
// take fifty times as long, one less.
constexpr int kDeeper = CLUSTERD_TEST_SCALE < 100 ? -1 : 1;
constexpr std::size_t kShare = CLUSTERD_TEST_SCALE < 100 ? 10 : 1;

/// False if nothing comes of it: what follows is then the same as without it.
bool does(ClusterHost& host, Role role, const ChildEvent& event) {
  const auto child = host.last_child(role);
  return child && !host.happens_to(*child, event).empty();
}

bool goes_on(ClusterHost& host, Role role) {
  const auto child = host.last_child(role);
  if (!child) return false;
  const bool spawned = host.cluster.children().at(*child).fsm.state() == ChildState::spawned;
  return does(host, role, spawned ? ChildEvent{SaidHello{}} : ChildEvent{SaidReady{}});
}

bool dies(ClusterHost& host, Role role) {
  const auto child = host.last_child(role);
  if (!child) return false;
  (void)host.exits(*child);
  must(host.exits(*child).empty(), "nobody dies twice");
  return true;
}

/// The clock goes on until something comes of it.
bool time_passes(ClusterHost& host) {
  while (!host.timers.empty()) {
    if (!host.fire_earliest().empty()) return true;
  }
  return false;
}

bool stops(ClusterHost& host, bool now) {
  const bool stopped = host.stopping;
  const bool effect = !host.happens(StopRequested{now}).empty();
  if (!stopped && host.stopping) host.must_finish_by_exits();
  return effect;
}

bool is_recycled(ClusterHost& host) {
  const auto child = host.last_child(Role::worker);
  return child && !host.happens(RecycleRequested{*child, "it is old"}).empty();
}

bool rolls_out(ClusterHost& host, std::uint32_t program = 0) {
  Plan plan = plan_for(1);
  plan.settle = 50ms;
  plan.program = program;
  return !host.happens(RolloutRequested{plan}).empty();
}

bool scales(ClusterHost& host, int by) {
  const int to = static_cast<int>(host.cluster.slots().size()) + by;
  if (to < 1 || to > 3) return false;
  return !host.happens(ScaleRequested{static_cast<std::uint32_t>(to)}).empty();
}

const std::vector<testing::Move<ClusterHost>> kMoves{
    {"agent goes on", [](ClusterHost& host) { return goes_on(host, Role::agent); }},
    {"agent hangs up", [](ClusterHost& host) { return does(host, Role::agent, ChannelEnded{}); }},
    {"agent dies", [](ClusterHost& host) { return dies(host, Role::agent); }},
    {"worker goes on", [](ClusterHost& host) { return goes_on(host, Role::worker); }},
    {"worker hangs up", [](ClusterHost& host) { return does(host, Role::worker, ChannelEnded{}); }},
    {"worker lies",
     [](ClusterHost& host) { return does(host, Role::worker, BrokeProtocol{"it lies"}); }},
    {"worker says suicide",
     [](ClusterHost& host) { return does(host, Role::worker, SaidSuicide{"it says so"}); }},
    {"worker hangs", [](ClusterHost& host) { return does(host, Role::worker, Hung{"it stands"}); }},
    {"worker is recycled", [](ClusterHost& host) { return is_recycled(host); }},
    {"rollout", [](ClusterHost& host) { return rolls_out(host); }},
    {"scaled up", [](ClusterHost& host) { return scales(host, 1); }},
    {"scaled down", [](ClusterHost& host) { return scales(host, -1); }},
    {"worker dies", [](ClusterHost& host) { return dies(host, Role::worker); }},
    {"time passes", [](ClusterHost& host) { return time_passes(host); }},
    {"stop", [](ClusterHost& host) { return stops(host, false); }},
    {"stop now", [](ClusterHost& host) { return stops(host, true); }},
};

const std::vector<testing::Move<ClusterHost>> kProgramMoves{
    {"agent goes on", [](ClusterHost& host) { return goes_on(host, Role::agent); }},
    {"agent dies", [](ClusterHost& host) { return dies(host, Role::agent); }},
    {"program goes on", [](ClusterHost& host) { return goes_on(host, Role::program); }},
    {"program hangs up",
     [](ClusterHost& host) { return does(host, Role::program, ChannelEnded{}); }},
    {"program says suicide",
     [](ClusterHost& host) { return does(host, Role::program, SaidSuicide{"it says so"}); }},
    {"program dies", [](ClusterHost& host) { return dies(host, Role::program); }},
    {"worker goes on", [](ClusterHost& host) { return goes_on(host, Role::worker); }},
    {"worker dies", [](ClusterHost& host) { return dies(host, Role::worker); }},
    {"rollout", [](ClusterHost& host) { return rolls_out(host, 1); }},
    {"rollout of another program", [](ClusterHost& host) { return rolls_out(host, 2); }},
    {"rollout of none", [](ClusterHost& host) { return rolls_out(host, 0); }},
    {"time passes", [](ClusterHost& host) { return time_passes(host); }},
    {"stop", [](ClusterHost& host) { return stops(host, false); }},
};

Plan plan_with_program() {
  Plan plan = plan_for(1);
  plan.program = 1;
  return plan;
}

}  // namespace

TEST_CASE("a cluster that starts keeps all promises in every order of events") {
  ClusterHost host(plan_for(1));
  (void)host.happens(Start{});
  const std::size_t played = testing::every_order(host, 7 + kDeeper, kMoves);
  CHECK(played > 15'000 / kShare);
}

TEST_CASE("a cluster that runs keeps all promises in every order of events") {
  ClusterHost host(plan_for(1));
  (void)host.happens(Start{});
  for (const Role role : {Role::agent, Role::agent, Role::worker, Role::worker}) {
    (void)goes_on(host, role);
  }
  REQUIRE(host.announced);
  const std::size_t played = testing::every_order(host, 6 + kDeeper, kMoves);
  CHECK(played > 10'000 / kShare);
}

TEST_CASE("one with an agent program that starts keeps all promises in every order of events") {
  ClusterHost host(plan_with_program());
  (void)host.happens(Start{});
  const std::size_t played = testing::every_order(host, 7 + kDeeper, kProgramMoves);
  CHECK(played > 5'000 / kShare);
}

TEST_CASE("one with an agent program that runs keeps all promises in every order of events") {
  ClusterHost host(plan_with_program());
  (void)host.happens(Start{});
  for (const Role role : kRoles) {
    (void)goes_on(host, role);
    (void)goes_on(host, role);
  }
  REQUIRE(host.announced);
  const std::size_t played = testing::every_order(host, 6 + kDeeper, kProgramMoves);
  CHECK(played > 10'000 / kShare);
}

TEST_CASE("one whose agent program is being replaced keeps all promises in every order of events") {
  ClusterHost host(plan_with_program());
  (void)host.happens(Start{});
  for (const Role role : kRoles) {
    (void)goes_on(host, role);
    (void)goes_on(host, role);
  }
  REQUIRE(rolls_out(host, 2));
  (void)goes_on(host, Role::worker);
  (void)goes_on(host, Role::worker);
  (void)time_passes(host);
  const std::size_t played = testing::every_order(host, 6 + kDeeper, kProgramMoves);
  CHECK(played > 5'000 / kShare);
}

TEST_CASE("a cluster that stops after a delay keeps all promises in every order of events") {
  Plan plan = plan_for(1);
  plan.stop_delay = 300ms;
  ClusterHost host(plan);
  (void)host.happens(Start{});
  for (const Role role : {Role::agent, Role::agent, Role::worker, Role::worker}) {
    (void)goes_on(host, role);
  }
  REQUIRE(stops(host, false));
  REQUIRE_FALSE(host.stopping);
  const std::size_t played = testing::every_order(host, 6 + kDeeper, kMoves);
  CHECK(played > 5'000 / kShare);
}

}  // namespace clusterd::core
