// Thousands of random lives under virtual time: what is promised after each step is in ClusterHost
// and RandomMachine, what is promised in the end is here.
#include "tests/support/random_machine.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <map>

namespace clusterd::core {
namespace {

using namespace std::chrono_literals;
using testing::random_plan;
using testing::RandomMachine;
using testing::Troubles;

// With the sanitizers, which take fifty times as long, fewer of them.
constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;
constexpr std::uint32_t kWorkers = 8;
constexpr std::uint32_t kFar = 1'000'000;
constexpr Troubles kFaults{.faults = true};
constexpr Troubles kAll{.faults = true, .goodbyes = true, .orders = true, .bad_generations = true};

constexpr Duration kStart = RandomMachine::kLongestStart;
constexpr Duration kEnd = RandomMachine::kLongestEnd;

Plan limited(std::uint32_t limit, std::uint32_t surge = 1) {
  Plan plan = random_plan(kWorkers);
  plan.death_limit = limit;
  plan.surge = surge;
  plan.max_unavailable = surge == 0 ? 1 : 0;
  return plan;
}

Duration longest_stop(const Plan& plan) {
  Duration sum{};
  for (const Role role : kRoles) {
    sum += plan.timeouts(role).drain + plan.timeouts(role).kill + kEnd;
  }
  return sum;
}

/// The last that never gets ready, the longest delay, and a start.
Duration until_back(const Plan& plan) {
  return plan.worker.ready + plan.worker.drain + plan.worker.kill + kEnd + plan.backoff_max +
         kStart;
}

/// The same once more for a rollout that was under way and fails, then each slot renewed in turn.
Duration until_settled(const Plan& plan, std::uint32_t workers) {
  const ChildTimeouts& program = plan.program_timeouts;
  const Duration until_gone = program.ready + program.drain + program.kill + kEnd;
  return 2 * (until_back(plan) + until_gone) +
         workers * (plan.settle + 2 * kStart + plan.backoff_max);
}

void run_up(RandomMachine& machine) {
  machine.run_for(3 * kStart);
  REQUIRE(machine.host().cluster.state() == ClusterState::running);
}

/// At full strength, all of the generation that is in force, and nothing more is to be done.
void check_settled(RandomMachine& machine) {
  const Cluster& cluster = machine.host().cluster;
  CHECK(cluster.ready() == machine.workers());
  CHECK(cluster.settled());
  CHECK_FALSE(machine.gave_up());
  CHECK(cluster.at_strength(Role::program));
  const std::size_t agents = cluster.has_program() ? 2 : 1;
  CHECK(machine.host().children.size() == machine.workers() + agents);
  const std::uint32_t lives = machine.lives();
  machine.run_for(1h);
  CHECK(machine.lives() == lives);
  CHECK(cluster.ready() == machine.workers());
}

void crash_until(RandomMachine& machine, Troubles troubles, std::uint32_t lives) {
  machine.start_crasher(troubles);
  const TimePoint give_up = machine.now() + 240h;
  while (machine.lives() < lives && machine.step(give_up)) continue;
  REQUIRE(machine.lives() >= lives);
  CHECK(machine.host().cluster.state() == ClusterState::running);
  machine.stop_crasher();
}

/// With each way to replace a worker, over some seeds: a cluster that runs.
template <typename Test>
void in_all_ways(std::uint32_t limit, Test test) {
  for (const std::uint32_t surge : {1U, 2U, 0U}) {
    for (std::uint64_t seed = 1; seed <= (kSanitized ? 2 : 20); ++seed) {
      CAPTURE(surge);
      CAPTURE(seed);
      const Plan plan = limited(limit, surge);
      RandomMachine machine(seed, plan);
      run_up(machine);
      test(machine, plan);
    }
  }
}

}  // namespace

TEST_CASE("all workers are back soon after thousands of them died at random") {
  for (std::uint64_t seed = 1; seed <= (kSanitized ? 2 : 20); ++seed) {
    CAPTURE(seed);
    const Plan plan = limited(kFar);
    RandomMachine machine(seed, plan);
    run_up(machine);
    crash_until(machine, kFaults, 1000);
    machine.run_for(until_back(plan));
    check_settled(machine);
    machine.stop();
    machine.run_for(longest_stop(plan));
    CHECK(machine.host().outcome == Outcome{});
  }
}

TEST_CASE("all is well again after suicides, hangs, scaling and rollouts amid random deaths") {
  in_all_ways(kFar, [](RandomMachine& machine, const Plan& plan) {
    crash_until(machine, kAll, 2000);
    machine.run_for(until_settled(plan, machine.workers()));
    check_settled(machine);
  });
}

TEST_CASE("the same where so many deaths are too many, a giveup_retry later") {
  in_all_ways(10, [](RandomMachine& machine, const Plan& plan) {
    crash_until(machine, kAll, 500);
    // One that never gets ready may be the probe, and a rollout may hold one slot back.
    machine.run_for(until_settled(plan, machine.workers()) + 3 * plan.giveup_retry);
    check_settled(machine);
  });
}

TEST_CASE("while nobody dies, no slot is without a worker but those that may be") {
  in_all_ways(kFar, [](RandomMachine& machine, const Plan& plan) {
    machine.start_crasher({.orders = true, .bad_generations = true});
    std::uint32_t most = 0;
    const TimePoint end = machine.now() + 10min;
    while (machine.step(end)) most = std::max(most, machine.missing());
    CHECK(most == (plan.surge == 0 ? 1 : 0));
    CHECK(machine.lives() > 500);
    machine.stop_crasher();
    machine.run_for(until_settled(plan, machine.workers()));
    check_settled(machine);
  });
}

TEST_CASE("1,000 kills under the limit, before ready, in drain, in rollouts: n are back (D19)") {
  for (std::uint64_t seed = 1; seed <= (kSanitized ? 2 : 4); ++seed) {
    CAPTURE(seed);
    // The limit is the default, which is 10 a minute or more.
    RandomMachine machine(seed, limited(0, seed % 2 == 0 ? 0 : 1));
    run_up(machine);
    machine.start_crasher({.orders = true});
    std::map<ChildState, int> killed;
    int in_rollouts = 0;
    for (int kill = 0; kill < 1000; ++kill) {
      machine.run_for(6500ms + std::chrono::milliseconds(kill % 97));
      const bool rolling = machine.host().rolling;
      const auto state = machine.kill_one();
      REQUIRE(state.has_value());
      ++killed[*state];
      if (rolling) ++in_rollouts;
      REQUIRE_FALSE(machine.gave_up());
    }
    CHECK(killed[ChildState::ready] > 100);
    CHECK(killed[ChildState::spawned] + killed[ChildState::online] > 20);
    CHECK(killed[ChildState::draining] > 20);
    CHECK(in_rollouts > 50);
    machine.stop_crasher();
    machine.run_for(5s);
    check_settled(machine);
  }
}

TEST_CASE("a stop amid random deaths ends within its deadlines") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    const Plan plan = limited(seed % 2 == 0 ? 10 : kFar);
    RandomMachine machine(seed, plan);
    machine.run_for(3 * kStart);
    machine.start_crasher(kAll);
    machine.run_for(std::chrono::milliseconds(100 * seed));
    machine.stop();
    machine.run_for(longest_stop(plan));
    CHECK(machine.host().outcome == Outcome{});
  }
}

TEST_CASE("a start amid random deaths ends up running or says why not") {
  int started = 0;
  int failed = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    RandomMachine machine(seed);
    machine.start_crasher(kFaults);
    const TimePoint give_up = machine.now() + 1h;
    while (!machine.host().announced && !machine.host().outcome && machine.step(give_up)) continue;
    if (machine.host().announced) {
      ++started;
    } else {
      ++failed;
      REQUIRE(machine.host().outcome);
      CHECK(machine.host().outcome->kind == Outcome::Kind::never_started);
      CHECK_FALSE(machine.host().outcome->why.empty());
    }
  }
  CHECK(started + failed == 100);
  CHECK(failed > 0);
}

}  // namespace clusterd::core
