// The size of the pool and the age of its workers change under load, and clients do not notice: as
// D20, D22 and D24 of our list. `lost` includes an end without an answer.
#include "tests/support/eventually.h"
#include "tests/support/load.h"
#include "tests/support/pool.h"

#include <doctest/doctest.h>

#include <csignal>
#include <functional>
#include <optional>
#include <random>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;
constexpr double kRate = kSanitized ? 100 : 400;

/// What a pool under load was seen to be while its workers were replaced.
struct Seen {
  std::int64_t fewest_ready = 1000;
  std::int64_t most_starting = 0;
  std::int64_t recycled = 0;
  unsigned looks = 0;
};

/// Looks at it until `enough` workers have been replaced.
Seen watch(
    const Cluster& cluster, std::int64_t enough, const std::function<void()>& meanwhile = [] {}) {
  Seen seen;
  const std::int64_t first = pool_of(cluster).slots;
  const auto look = [&] {
    const Pool pool = pool_of(cluster);
    if (pool.state.empty()) return false;
    ++seen.looks;
    seen.fewest_ready = std::min(seen.fewest_ready, pool.ready());
    seen.most_starting = std::max(seen.most_starting, pool.starting());
    for (const auto& worker : pool.workers) {
      if (worker.state == "ready") seen.recycled = std::max(seen.recycled, worker.id - first);
    }
    meanwhile();
    return seen.recycled >= enough && seen.looks > 10;
  };
  CHECK(eventually(look, 60s));
  return seen;
}

/// Their boot takes so long that the pool would be seen without them.
ClusterOptions recycling(const std::string& keys) {
  return {
      .workers = 4,
      .command = {fixture_worker(), "events"},
      .worker_keys = "recycle = { " + keys +
                     " }\nenv = { FIXTURE_READY_AFTER_MS = \"300\" }\ndrain_timeout = \"20s\"\n"};
}

void check_recycled(const Cluster& cluster, const Seen& seen, const std::string& why) {
  CAPTURE(seen.looks);
  CAPTURE(seen.recycled);
  CHECK(seen.looks > 10);
  CHECK(seen.fewest_ready >= 4);
  CHECK(seen.most_starting <= 1);
  std::size_t drained = 0;
  for (const auto& event : events_of(cluster)) {
    if (event.at("role") != "worker") continue;
    if (event.at("event") == "exit") {
      CHECK(event.at("planned") == true);
      CHECK(event.at("code") == 0);
    }
    if (event.at("event") != "drain") continue;
    ++drained;
    CHECK(event.at("reason").as_string().find(why) != std::string::npos);
  }
  CHECK(drained > 0);
}

/// `steps` of +1 or -1, between 1 and 6 workers, as a person or a program would: each when the one
/// before is done.
void scale_up_and_down(const Cluster& cluster, int steps, unsigned seed) {
  std::mt19937 random(seed);
  int workers = 3;
  for (int step = 0; step < steps; ++step) {
    const bool up = workers == 1 || (workers < 6 && random() % 2 == 0);
    workers += up ? 1 : -1;
    const Finished scaled = cluster.verb({"scale", up ? "+1" : "-1"});
    CAPTURE(scaled.err);
    REQUIRE(scaled.code == 0);
    const auto number = std::to_string(workers) + (workers == 1 ? " worker" : " workers");
    REQUIRE(scaled.out == number + " ready\n");
  }
  CHECK(eventually([&] { return pool_of(cluster).quiet(workers); }, 20s));
}

/// A pool whose size, workers and generation somebody changes all the time.
class Restless {
 public:
  Restless(Cluster& cluster, unsigned seed) : cluster_(cluster), random_(seed) {}

  void step() {
    const std::string slot = std::to_string(random_() % static_cast<unsigned>(workers_));
    switch (random_() % 6) {
      case 0:
      case 1:
        workers_ = 1 + static_cast<int>(random_() % 6);
        return check(cluster_.verb({"scale", "--no-wait", std::to_string(workers_)}));
      case 2:
        kill_one();
        return;
      case 3:
        (void)cluster_.verb({"kill", slot});  // perhaps nobody is there
        return;
      case 4:
        (void)cluster_.verb({"recycle", slot});
        return;
      default:
        return check(cluster_.verb({random_() % 2 == 0 ? "reload" : "restart", "--no-wait"}));
    }
  }

  /// All is done that was asked: slots and answers are 0 to n-1, each once.
  void check_quiet() {
    CAPTURE(workers_);
    // Who was killed can look ready for as long as the master has not heard of it.
    const auto quiet = [&] {
      const Pool pool = pool_of(cluster_);
      return pool.quiet(workers_) && !pool.has(killed_);
    };
    REQUIRE(eventually(quiet, 60s));
    std::set<std::int64_t> slots;
    std::set<std::int64_t> pids;
    for (int times = 0; times < 2 * workers_; ++times) {
      const Reply reply = ask(cluster_.port(), "who");
      REQUIRE(reply.ok());
      slots.insert(number_in(reply.body, "slot"));
      pids.insert(number_in(reply.body, "pid"));
    }
    CHECK(slots.size() == static_cast<std::size_t>(workers_));
    CHECK(*slots.begin() == 0);
    CHECK(*slots.rbegin() == workers_ - 1);
    CHECK(pids.size() == slots.size());
  }

 private:
  static void check(const Finished& verb) {
    CAPTURE(verb.err);
    CHECK(verb.code == 0);
  }

  /// In whatever state it is.
  void kill_one() {
    const Pool pool = pool_of(cluster_);
    if (pool.workers.empty()) return;
    killed_ = pool.workers[random_() % pool.workers.size()].pid;
    ::kill(killed_, SIGKILL);
  }

  Cluster& cluster_;
  std::mt19937 random_;
  int workers_ = 3;
  pid_t killed_ = 0;  ///< the last one
};

}  // namespace

TEST_CASE("recycling by requests under load leaves n ready, one at a time, and loses nobody: D20") {
  Cluster cluster(recycling("requests = 60, jitter = 0.5"));
  Load load(cluster.port(), {.rate = kRate, .patience = 20s});
  const Seen seen = watch(cluster, kSanitized ? 4 : 12);
  const LoadReport report = load.stop();
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(report.lost() == 0);
  check_recycled(cluster, seen, "recycle.requests 60");
}

TEST_CASE("recycling by lifetime leaves n ready though all are of one age: D20") {
  Cluster cluster(recycling("lifetime = \"1s\", jitter = 0.1"));
  Load load(cluster.port(), {.rate = kRate, .patience = 20s});
  const Seen seen = watch(cluster, kSanitized ? 4 : 8);
  const LoadReport report = load.stop();
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(report.lost() == 0);
  check_recycled(cluster, seen, "recycle.lifetime 1 s");
}

TEST_CASE("a worker that leaks is recycled, n being ready, and the others stay: D20") {
  Cluster cluster(recycling("memory = \"300MiB\", jitter = 0"));
  Load load(cluster.port(), {.rate = kRate, .patience = 20s});
  const Reply leaky = ask(cluster.port(), "leak?mb=320");
  const auto slot = number_in(leaky.body, "slot");
  const auto pid = static_cast<pid_t>(number_in(leaky.body, "pid"));
  const auto before = pool_of(cluster);
  const Seen seen = watch(cluster, 1);
  CHECK(eventually([&] { return !alive(pid); }, 30s));
  const LoadReport report = load.stop();
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(report.lost() == 0);
  CHECK(seen.fewest_ready >= 4);
  const auto after = pool_of(cluster);
  for (std::int64_t other = 0; other < 4; ++other) {
    CHECK((after.ready_in(other) == before.ready_in(other)) == (other != slot));
  }
  CHECK(cluster.log().find("(recycle.memory 300 MiB)") != std::string::npos);
}

TEST_CASE("1,000 random +1 and -1 under load lose nobody: D22") {
  const unsigned seed = std::random_device()();
  MESSAGE("seed " << seed);
  for (const std::string policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    Cluster cluster({.workers = 3, .policy = policy, .command = {fixture_worker(), "events"}});
    const std::size_t fds_before = cluster.fds();
    Load load(cluster.port(), {.rate = kRate, .patience = 20s});
    scale_up_and_down(cluster, kSanitized ? 10 : 500, seed);
    const LoadReport report = load.stop();
    MESSAGE(policy << ": " << report.text());
    CHECK(report.sound());
    CHECK(report.lost() == 0);
    REQUIRE(cluster.verb({"scale", "3"}).code == 0);
    CHECK(eventually([&] { return count_fds(cluster.master().pid()) == fds_before; }, 20s));
  }
}

TEST_CASE("after any scale, kill, recycle and reload the slots are exactly 0 to n-1: D24") {
  const unsigned seed = std::random_device()();
  MESSAGE("seed " << seed);
  // The fixture is quick to start, so most steps meet workers that start or leave.
  Cluster cluster({.workers = 3,
                   .command = {fixture_worker(), "events"},
                   .worker_keys = "ready_timeout = \"60s\"\n",
                   .more = "[restart]\nlimit = 100000\nbackoff = { first = \"1ms\", max = \"20ms\" "
                           "}\n[reload]\nsettle = \"50ms\"\n"});
  const std::size_t fds_before = cluster.fds();
  Restless pool(cluster, seed);
  constexpr int kSteps = kSanitized ? 40 : 300;
  for (int step = 1; step <= kSteps; ++step) {
    pool.step();
    if (step % 20 == 0) pool.check_quiet();
  }
  REQUIRE(cluster.verb({"scale", "3"}).code == 0);
  CHECK(eventually([&] { return pool_of(cluster).quiet(3); }, 20s));
  CHECK(eventually([&] { return count_fds(cluster.master().pid()) == fds_before; }, 20s));
}
