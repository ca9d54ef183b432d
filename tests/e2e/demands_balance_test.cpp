// What users of other balancers complain of about who gets how much, as D3, D4 and D5 of our list:
// 8 workers, 64 clients, each request on a connection of its own.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/load.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>
#include <unistd.h>

using namespace clusterd::test;
using namespace std::chrono_literals;
using std::chrono::microseconds;
using Kind = Outcome::Kind;

namespace {

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;
constexpr unsigned kWorkers = 8;

std::vector<std::uint64_t> values(const std::map<pid_t, std::uint64_t>& counts) {
  std::vector<std::uint64_t> result;
  for (const auto& [pid, count] : counts) result.push_back(count);
  return result;
}

/// 8,000 connections; the most that one worker got over the least.
double skew_of_8000(const std::string& policy, const std::string& mode) {
  Cluster cluster({.workers = kWorkers, .policy = policy, .command = {fixture_worker(), mode}});
  const LoadReport report = Load(cluster.port(), {.most = 8000, .patience = 20s}).finish();
  CAPTURE(report.text());
  CHECK(report.sound());
  REQUIRE(report.done() == 8000);
  auto by_worker = report.by_worker();

  // What the status says of each worker is what the clients saw.
  const auto at_rest = [](const Counts& counts) {
    return std::all_of(counts.workers.begin(), counts.workers.end(), [](const auto& worker) {
      return worker.active == 0 && worker.pending == 0;
    });
  };
  std::optional<Counts> counts;
  CHECK(eventually([&] { return (counts = cluster.counts()) && at_rest(*counts); }, 5s));
  REQUIRE(counts);
  CHECK(counts->accepted == 8000);
  CHECK(counts->waiting == 0);
  CHECK(counts->workers.size() == kWorkers);
  for (const auto& worker : counts->workers) {
    CHECK(static_cast<std::uint64_t>(worker.taken) == by_worker[worker.pid]);
  }
  const auto counted = values(by_worker);
  const auto [least, most] = std::minmax_element(counted.begin(), counted.end());
  return *least == 0 ? 1e9 : static_cast<double>(*most) / static_cast<double>(*least);
}

/// User and system time that a process has used.
microseconds cpu_time(pid_t pid) {
  const std::string text = read_file("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream rest(text.substr(text.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) rest >> skipped;
  std::int64_t user = 0;
  std::int64_t system = 0;
  rest >> user >> system;
  return microseconds((user + system) * 1'000'000 / ::sysconf(_SC_CLK_TCK));
}

/// What the master needs of a CPU for one connection under the common load.
double master_us_per_hand_off(Cluster& cluster) {
  const auto accepted = [&] { return cluster.counts().value().accepted; };
  const auto before = accepted();
  const auto cpu_before = cpu_time(cluster.master().pid());
  const LoadReport report = Load(cluster.port(), {.most = 20'000}).finish();
  const auto used = cpu_time(cluster.master().pid()) - cpu_before;
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(report.lost() == 0);
  CHECK(accepted() - before == 20'000);
  return static_cast<double>(used.count()) / 20'000;
}

constexpr std::int64_t kMaxPending = 4;

ClusterOptions stalling(const std::string& policy, bool slow) {
  return {.workers = kWorkers,
          .policy = policy,
          .command = {fixture_worker(), slow ? "slow-slot-0" : "serve", "500"},
          .worker_keys = "max_pending = " + std::to_string(kMaxPending) + "\n"};
}

struct Compared {
  double rise = 0;                   ///< of the p99 of those whom the slow worker did not serve
  std::int64_t most_pending = 0;     ///< that waited at any worker at once
  std::int64_t pending_at_slow = 0;  ///< the median of the looks
};

/// Two clusters under the same open load at the same time, one with a worker that stalls: what else
/// happens on the machine, happens to both.
Compared compare(Cluster& even, Cluster& slow) {
  constexpr double kRate = kSanitized ? 100 : 500;
  constexpr auto kConnections = static_cast<std::uint64_t>(kRate * 2.5);
  const LoadOptions options{.rate = kRate, .most = kConnections, .patience = 20s};
  const pid_t slow_one = slow.workers().front();
  Compared result;
  std::vector<std::int64_t> pending;
  Load even_load(even.port(), options);
  Load slow_load(slow.port(), options);
  while (slow_load.ended() < kConnections) {
    const auto counts = slow.counts();
    REQUIRE(counts);
    REQUIRE(even.counts());  // so that both masters have to answer
    for (const auto& worker : counts->workers) {
      result.most_pending = std::max(result.most_pending, worker.pending);
      const bool begins = even_load.ended() < kConnections;  // after that only the slow one works
      if (begins && worker.pid == slow_one) pending.push_back(worker.pending);
    }
  }
  const LoadReport without = even_load.finish();
  const LoadReport with = slow_load.finish();
  CAPTURE(without.text());
  CAPTURE(with.text());
  for (const LoadReport* report : {&without, &with}) {
    CHECK(report->sound());
    CHECK(report->lost() == 0);
  }
  const auto us = [](microseconds time) { return static_cast<double>(time.count()); };
  result.rise = us(with.percentile(0.99, slow_one)) / us(without.percentile(0.99));
  std::sort(pending.begin(), pending.end());
  result.pending_at_slow = pending.at(pending.size() / 2);
  return result;
}

}  // namespace

TEST_CASE("D3: round-robin is even over 8,000 connections, and the status counts what clients do") {
  for (const char* mode : {"serve", "events"}) {
    CAPTURE(mode);
    CHECK(skew_of_8000("round-robin", mode) <= 1.3);
  }
}

TEST_CASE("D5: in accept race nobody gets more than 2.5 times of what another gets") {
  for (const char* mode : {"serve", "events"}) {
    CAPTURE(mode);
    double best = 1e9;
    for (int round = 0; round < 3 && best > 2.5; ++round) {
      best = std::min(best, skew_of_8000("accept-race", mode));
    }
    CHECK(best <= 2.5);
  }
}

TEST_CASE("D4: a worker that stalls delays nobody else, and gets less") {
  std::map<std::string, std::int64_t> pending_at_slow;
  for (const std::string policy : {"round-robin", "least-connections"}) {
    CAPTURE(policy);
    Cluster even(stalling(policy, false));
    Cluster slow(stalling(policy, true));
    double best = 1e9;
    for (int round = 0; round < 8 && best > 1.2; ++round) {
      const Compared compared = compare(even, slow);
      CHECK(compared.most_pending <= kMaxPending);
      pending_at_slow[policy] = compared.pending_at_slow;
      best = std::min(best, compared.rise);
    }
    CHECK(best <= 1.2);
  }
  // Both give it no more than it takes; least-connections has fewer wait for that.
  CHECK(2 * pending_at_slow["least-connections"] < pending_at_slow["round-robin"]);
}

TEST_CASE("D4: a hand-off costs the master at most 20 us of CPU" * doctest::skip(kSanitized)) {
  Cluster cluster({.workers = kWorkers, .command = {fixture_worker()}});
  double best = 1e9;
  for (int round = 0; round < 3 && best > 20; ++round) {
    best = std::min(best, master_us_per_hand_off(cluster));
  }
  CHECK(best <= 20);
}
