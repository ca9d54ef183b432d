// Faults by their numbers in the list of what a supervisor has to bear, where more is at stake than
// the worker that is at fault (hostile_test): connections, the master's memory and descriptors, and
// what is under way meanwhile. Faults 2 and 3 are in demands_death_test and loss_test.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/fixture_tally.h"
#include "tests/support/http.h"
#include "tests/support/load.h"

#include <boost/json/array.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <random>
#include <string>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;
using Kind = Outcome::Kind;

namespace {

using Clock = std::chrono::steady_clock;

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;
/// Of the master, while children flood it: what may wait for one of them is 1 MiB, twice.
constexpr std::int64_t kMostGrowthKib = 6 * 1024;
/// Of the master: copies of a listener on their way to one who does not read.
constexpr std::size_t kMostSpareFds = 400;

std::int64_t restarts(const Cluster& cluster) {
  const auto status = cluster.status();
  return status ? status->at("restarts").at("total").as_int64() : 0;
}

void check_sane(Cluster& cluster) {
  CHECK(cluster.master().running());
  CHECK(cluster.verb({"stop", "--now"}).code == 0);
  CHECK(cluster.log().find("AddressSanitizer") == std::string::npos);
  CHECK(cluster.log().find("runtime error") == std::string::npos);
}

ClusterOptions hostile(const std::string& mode, const std::string& policy = "round-robin") {
  return {.workers = 2,
          .policy = policy,
          .command = {fixture_worker(), mode},
          .worker_keys =
              "stall_timeout = \"200ms\"\ndrain_timeout = \"500ms\"\n"
              "kill_timeout = \"1s\"\n",
          .more = "[reload]\nsettle = \"100ms\"\n"};
}

}  // namespace

TEST_CASE("kill -9 of a worker every 100 ms loses no more than they had in hand (fault 1)") {
  for (const std::string policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    const TempDir dir;
    FixtureTally tally(dir.path("tally"));
    Cluster cluster(
        {.workers = 4,
         .policy = policy,
         .command = {fixture_worker(), "events", "20"},
         .worker_keys = "env = { FIXTURE_TALLY_FILE = \"" + dir.path("tally") + "\" }\n",
         .more = "[restart]\nlimit = 100000\n"
                 "backoff = { first = \"10ms\", max = \"20ms\" }\n"});
    Load load(cluster.port(), {.rate = kSanitized ? 100.0 : 1000.0, .patience = 30s});
    std::mt19937 random(1);
    std::vector<pid_t> killed;
    const auto end = Clock::now() + (kSanitized ? 2s : 5s);
    while (Clock::now() < end || killed.size() <= 5) {
      ::poll(nullptr, 0, 100);
      const auto workers = cluster.workers();
      if (workers.empty()) continue;
      killed.push_back(workers[random() % workers.size()]);
      ::kill(killed.back(), SIGKILL);
    }
    CHECK(eventually([&] { return cluster.running(4); }, 20s));
    const LoadReport report = load.stop();
    // And one each: it may have been killed between the take and the count.
    std::uint64_t held = killed.size();
    for (const pid_t pid : killed) held += tally.held_by(pid);
    CAPTURE(report.text());
    CHECK(killed.size() > 5);
    CHECK(report.sound());
    CHECK(report.count(Kind::refused) == 0);
    CHECK(report.count(Kind::unanswered) == 0);
    CHECK(report.lost() <= held);
    CHECK(eventually([&] { return session_of(cluster.master().pid()).size() == 6; }, 10s));
  }
}

TEST_CASE("a flood of messages holds up nobody, and the master stays small (fault 18)") {
  Cluster cluster(hostile("flood-of-messages"));
  REQUIRE(get(cluster.port()).ok());
  const std::int64_t before = resident_kib(cluster.master().pid());
  std::int64_t most = 0;
  for (int i = 0; i < 200; ++i) {
    CHECK(get(cluster.port()).ok());
    most = std::max(most, resident_kib(cluster.master().pid()));
  }
  if (!kSanitized) CHECK(most - before <= kMostGrowthKib);
  check_sane(cluster);
}

TEST_CASE(
    "who asks for listeners and reads none takes few of the master's descriptors (fault 19)") {
  Cluster cluster(hostile("flood-for-sockets", "accept-race"));
  const pid_t master = cluster.master().pid();
  const std::size_t before = cluster.fds();
  const pid_t first = cluster.workers().front();
  ::kill(first, SIGUSR1);
  std::size_t most = 0;
  const auto is_gone = [&] {
    most = std::max(most, count_fds(master));
    return !alive(first);
  };
  CHECK(eventually(is_gone, 60s));
  CHECK(most <= before + kMostSpareFds);
  CHECK(eventually([&] { return cluster.running(2); }, 20s));
  CHECK(eventually([&] { return count_fds(master) == before; }, 10s));
  CHECK(get(cluster.port()).ok());
  check_sane(cluster);
}

TEST_CASE("a reload replaces a worker that lies when it is asked to leave (fault 21)") {
  for (const std::string mode : {"garbage-at-end", "lies-at-end", "suicides-at-end", "drip"}) {
    CAPTURE(mode);
    Cluster cluster(hostile(mode));
    const auto before = cluster.workers();
    const std::size_t fds = cluster.fds();
    // It takes none of what it is offered: the other worker answers.
    for (int i = 0; i < 4; ++i) CHECK(get(cluster.port()).ok());
    CHECK(cluster.verb({"reload"}).code == 0);
    CHECK(eventually([&] { return cluster.running(2); }, 20s));
    for (const pid_t pid : before) CHECK(eventually([&] { return !alive(pid); }, 10s));
    CHECK(restarts(cluster) == 2);  // the reload's own, and none for what broke a rule
    CHECK(get(cluster.port()).ok());
    CHECK(eventually([&] { return count_fds(cluster.master().pid()) == fds; }, 10s));
    check_sane(cluster);
  }
}

TEST_CASE("a worker that lies while a reload waits for it hurts nobody else (fault 21)") {
  for (const std::string mode : {"garbage", "claim-backwards", "flood", "lies-after-suicide"}) {
    CAPTURE(mode);
    Cluster cluster(hostile(mode));
    const std::string said = cluster.dir().path("reload");
    Program reload({clusterd_program(), "reload", cluster.conf()}, said, said);
    // Old and new ones of slot 0 break their rule as soon as they are offered something.
    while (reload.running()) CHECK(get(cluster.port()).ok());
    const int code = reload.wait(60s);
    CHECK((code == 0 || code == 75));
    CHECK(get(cluster.port()).ok());
    check_sane(cluster);
  }
}

TEST_CASE("a worker that says suicide whenever it serves is given up, and the other serves") {
  ClusterOptions options = hostile("suicide");
  options.more = "[restart]\nlimit = 10\n" + options.more;
  Cluster cluster(options);
  const auto given_up = [&] {
    CHECK(get(cluster.port()).ok());
    const auto status = cluster.status();
    return status && status->at("restarts").at("given_up").as_bool();
  };
  CHECK(eventually(given_up, 60s));
  CHECK(restarts(cluster) <= 11);
  CHECK(cluster.workers().size() == 1);
  CHECK(get(cluster.port()).ok());
  check_sane(cluster);
}
