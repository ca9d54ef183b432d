// What users of other balancers lose when workers die, as D1 and D2 of our list: under the common
// load (8 workers; 64 clients, each request on a connection of its own, with an id that comes back)
// a death costs the connection that the worker had in hand and no other. `reset` includes an end
// without an answer. The fixture worker serves one connection at a time, so it takes one at a time.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/load.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <random>
#include <string>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using Kind = Outcome::Kind;

namespace {

using Clock = std::chrono::steady_clock;

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;
constexpr unsigned kWorkers = 8;
/// Eight workers that start at once take the machine for a while, under the sanitizers for long.
constexpr auto kPatience = kSanitized ? 30s : 5s;

/// As long as the demand says; under the sanitizers a tenth of it.
milliseconds scaled(milliseconds time) { return time * CLUSTERD_TEST_SCALE / 100; }

/// Lets a load run.
void run_for(milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

/// All in the release build.
std::vector<std::string> policies() {
  if (kSanitized) return {"round-robin"};
  return {"round-robin", "sticky", "accept-race"};
}

/// Deaths are what the test is about, so they cause no long pause.
ClusterOptions restarting(const std::string& policy, const std::string& first = "10ms") {
  return {.workers = kWorkers,
          .policy = policy,
          .command = {fixture_worker()},
          .more = "[restart]\nlimit = 100000\nbackoff = { first = \"" + first + "\", max = \"" +
                  (first == "10ms" ? "20ms" : "60s") + "\" }\n"};
}

/// All are ready, and none of those that were killed.
bool whole_again(const Cluster& cluster, const std::vector<pid_t>& killed) {
  return eventually([&] { return cluster.replaced(killed, kWorkers); }, 20s);
}

/// All that are there, at once; gives who.
std::vector<pid_t> kill_all(const Cluster& cluster) {
  auto workers = cluster.workers();
  for (const pid_t pid : workers) ::kill(pid, SIGKILL);
  return workers;
}

/// All dead, and not for the first time, so that they stay away for the restart delay.
std::vector<pid_t> kill_all_for_long(const Cluster& cluster) {
  auto killed = kill_all(cluster);
  REQUIRE(whole_again(cluster, killed));
  const auto again = kill_all(cluster);
  killed.insert(killed.end(), again.begin(), again.end());
  return killed;
}

void check_lost_only_taken(const LoadReport& report, unsigned kills) {
  CAPTURE(report.text());
  CAPTURE(kills);
  CHECK(report.sound());
  CHECK(report.count(Kind::refused) == 0);
  CHECK(report.count(Kind::unanswered) == 0);
  CHECK(report.count(Kind::reset) <= kills);
  CHECK(report.done() > 20 * kills);
}

/// Stops one worker, opens 200 connections and kills it when all that are left are its own or wait
/// for it. Gives how long after its death the last of them was answered.
milliseconds wait_after_death(Cluster& cluster) {
  const pid_t stopped = cluster.workers().front();
  ::kill(stopped, SIGSTOP);
  Load load(cluster.port(), {.clients = 200, .most = 200, .patience = 20s});
  std::int64_t held = 0;
  const auto only_its_own_left = [&] {
    const auto done = static_cast<std::int64_t>(load.done());
    const auto counts = cluster.counts();
    if (!counts) return false;
    for (const auto& worker : counts->workers) {
      if (worker.pid == stopped) held = worker.pending;
    }
    return held > 0 && done + held + counts->waiting == 200;
  };
  REQUIRE(eventually(only_its_own_left, 10s));
  CHECK(held <= 16);
  const std::uint64_t before = load.done();
  const auto killed_at = Clock::now();
  ::kill(stopped, SIGKILL);
  const LoadReport report = load.finish();
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(before < 200);
  CHECK(report.done() == 200);
  CHECK(report.by_worker().count(stopped) == 0);
  return std::chrono::ceil<milliseconds>(report.outcomes.back().at - killed_at);
}

}  // namespace

TEST_CASE("D1: under load, each worker that dies costs at most the connection that it had taken") {
  for (const auto& [policy, time] :
       {std::pair{"round-robin", 30s}, {"least-connections", 5s}, {"sticky", 5s}}) {
    CAPTURE(policy);
    Cluster cluster(restarting(policy));
    const std::size_t fds_before = cluster.fds();
    std::mt19937 random(1);
    std::vector<pid_t> killed;
    Load load(cluster.port(), {.patience = kPatience});
    for (auto left = scaled(time); left > 0ms; left -= 250ms) {
      run_for(250ms);
      const auto workers = cluster.workers();
      if (workers.empty()) continue;
      killed.push_back(workers[random() % workers.size()]);
      ::kill(killed.back(), SIGKILL);
    }
    check_lost_only_taken(load.stop(), static_cast<unsigned>(killed.size()));
    CHECK(whole_again(cluster, {killed.back()}));
    CHECK(eventually([&] { return count_fds(cluster.master().pid()) == fds_before; }, 5s));
  }
}

TEST_CASE("D1: what waits at a stopped worker is answered within 100 ms of its death") {
  for (const char* policy : {"round-robin", "least-connections", "sticky"}) {
    CAPTURE(policy);
    // No stall_timeout: only its death frees what the stopped worker was offered.
    Cluster cluster({.workers = 4,
                     .policy = policy,
                     .command = {fixture_worker()},
                     .worker_keys = "stall_timeout = \"0\"\n"});
    const std::size_t fds_before = cluster.fds();
    // The best of three: a busy machine delays one of them, a master that waits for something
    // (a timer, the replacement) delays all.
    auto fastest = milliseconds::max();
    for (int round = 0; round < 3 && fastest > 100ms; ++round) {
      fastest = std::min(fastest, wait_after_death(cluster));
      CHECK(eventually([&] { return cluster.running(4); }, 20s));
      CHECK(eventually([&] { return count_fds(cluster.master().pid()) == fds_before; }, 5s));
    }
    CHECK(fastest <= (kSanitized ? 1000ms : 100ms));
  }
}

TEST_CASE("D2: kill -9 of all workers under load refuses nobody, loses what they took (fault 2)") {
  for (const auto& [policy, time] : {std::pair{"round-robin", 30s},
                                     {"least-connections", 5s},
                                     {"sticky", 5s},
                                     {"accept-race", 5s}}) {
    CAPTURE(policy);
    Cluster cluster(restarting(policy));
    unsigned kills = 0;
    Load load(cluster.port(), {.patience = kPatience});
    for (auto left = scaled(time); left > 0ms; left -= 1000ms) {
      run_for(1000ms);
      const auto killed = kill_all(cluster);
      kills += static_cast<unsigned>(killed.size());
      REQUIRE(whole_again(cluster, killed));
    }
    check_lost_only_taken(load.stop(), kills);
  }
}

TEST_CASE("D2: with all workers dead connections wait, which the status shows, and are served") {
  for (const std::string& policy : policies()) {
    CAPTURE(policy);
    Cluster cluster(restarting(policy, "2s"));
    Load load(cluster.port(), {.patience = 30s});
    REQUIRE(eventually([&] { return load.done() > 0; }, 5s));
    const auto killed = kill_all_for_long(cluster);
    const auto all_wait = [&] {
      const auto counts = cluster.counts();
      return counts && counts->waiting == 64;
    };
    CHECK(eventually(all_wait, 1900ms));
    const std::uint64_t done = load.done();
    CHECK(eventually([&] { return load.done() > done + 64; }, 20s));
    const LoadReport report = load.stop();
    CAPTURE(report.text());
    CHECK(report.sound());
    CHECK(report.count(Kind::refused) == 0);
    CHECK(report.count(Kind::unanswered) == 0);
    CHECK(report.count(Kind::reset) <= killed.size());
  }
}

TEST_CASE("D2: with nobody back within queue_timeout, those who waited are reset and counted") {
  for (const std::string& policy : policies()) {
    CAPTURE(policy);
    ClusterOptions options = restarting(policy, "2s");
    options.listen_keys = "queue_timeout = \"500ms\"\n";
    Cluster cluster(options);
    Load load(cluster.port(), {.patience = 30s});
    REQUIRE(eventually([&] { return load.done() > 0; }, 5s));
    const auto killed = kill_all_for_long(cluster);
    REQUIRE(whole_again(cluster, killed));
    const LoadReport report = load.stop();
    CAPTURE(report.text());
    CHECK(report.sound());
    CHECK(report.count(Kind::refused) == 0);
    CHECK(report.count(Kind::unanswered) == 0);
    const auto expired = static_cast<std::uint64_t>(cluster.counts().value().expired);
    CHECK(expired >= 64);
    CHECK(report.count(Kind::reset) >= expired);
    CHECK(report.count(Kind::reset) <= expired + killed.size());
    // Nobody before the time, but those whose worker died; and nobody long after it.
    const auto early = std::count_if(
        report.outcomes.begin(), report.outcomes.end(),
        [](const Outcome& one) { return one.kind == Kind::reset && one.took < 500ms; });
    CHECK(early <= killed.size());
    CHECK(std::none_of(report.outcomes.begin(), report.outcomes.end(), [](const Outcome& one) {
      return one.kind == Kind::reset && one.took > 1500ms;
    }));
  }
}
