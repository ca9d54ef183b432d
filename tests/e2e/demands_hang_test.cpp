// Who hangs is found and replaced, and nobody else is, as D10 and D21 of our list.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/load.h"
#include "tests/support/told.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <poll.h>
#include <string>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using Kind = Outcome::Kind;

namespace {

using Clock = std::chrono::system_clock;

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;

ClusterOptions fixtures(unsigned workers, const std::string& keys) {
  return {.workers = workers,
          .command = {fixture_worker()},
          .worker_keys = keys,
          .more = "[restart]\nlimit = 1000\nbackoff = { first = \"10ms\", max = \"20ms\" }\n"};
}

milliseconds now() {
  return std::chrono::duration_cast<milliseconds>(Clock::now().time_since_epoch());
}

void let_pass(milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

bool replaced(const Cluster& cluster, pid_t pid, unsigned workers) {
  return eventually([&] { return cluster.replaced({pid}, workers); }, 30s);
}

/// How long after its answer a worker is found whose handler does not return.
milliseconds hang(const std::string& path, const std::string& state) {
  Cluster cluster(fixtures(
      4, "heartbeat_timeout = \"1s\"\nstall_timeout = \"200ms\"\nkill_timeout = \"1s\"\n"));
  const milliseconds asked = now();
  const Reply reply = get(cluster.port(), 20s, path);
  REQUIRE(reply.ok());
  const milliseconds since = now();
  const auto pid = static_cast<pid_t>(pid_in(reply.body));

  // What it has been offered, and will be as long as nobody knows, is served by others.
  const LoadReport report = Load(cluster.port(), {.most = 200, .patience = 20s}).finish();
  CAPTURE(report.text());
  CHECK(report.done() == 200);
  CHECK(report.by_worker().count(pid) == 0);

  const Told hang = told_first(cluster, "hang", {{"pid", pid}});
  CHECK(hang.at("reason") == "its loop has not turned for 1 s");
  CHECK(time_of(hang) - asked >= 990ms);
  const Told exit = told_first(cluster, "exit", {{"pid", pid}});
  CHECK(exit.at("signal") == "ABRT");
  CHECK(exit.at("planned") == false);
  const std::string log = cluster.log();
  CAPTURE(log);
  CHECK(log.find(state) != std::string::npos);
  CHECK(log.find("open connections 0, requests answered 1, last took a connection ") !=
        std::string::npos);
  REQUIRE(replaced(cluster, pid, 4));
  CHECK(told(cluster, "hang").size() == 1);
  CHECK(told(cluster, "fork", {{"role", "worker"}}).size() == 5);
  CHECK(fewest_ready(cluster) == 3);
  return time_of(hang) - since;
}

}  // namespace

TEST_CASE("D10: a loop that hangs is found within heartbeat_timeout and a second, and replaced") {
  for (const auto& [path, state] :
       {std::pair{"/hang?spin=1", "state running"}, {"/hang", "state sleeping"}}) {
    CAPTURE(path);
    auto quickest = milliseconds::max();
    for (int round = 0; round < 3 && quickest > 2s; ++round) {
      quickest = std::min(quickest, hang(path, state));
    }
    CHECK(quickest <= (kSanitized ? 4s : 2s));
  }
}

TEST_CASE("fault 4: one of 4 workers is stopped under load: nobody waits 3 s, and it is replaced") {
  Cluster cluster(fixtures(
      4, "heartbeat_timeout = \"2s\"\nstall_timeout = \"500ms\"\nkill_timeout = \"500ms\"\n"));
  Load load(cluster.port(), {.rate = kSanitized ? 100.0 : 1000.0, .patience = 20s});
  REQUIRE(eventually([&] { return load.done() > 100; }, 20s));
  const pid_t stopped = cluster.workers().front();
  const milliseconds since = now();
  ::kill(stopped, SIGSTOP);

  const Told hang = told_first(cluster, "hang", {{"pid", stopped}});
  CHECK(hang.at("reason") == "it is stopped (SIGSTOP), and its loop has not turned for 2 s");
  CHECK(time_of(hang) - since >= 1s);
  CHECK(time_of(hang) - since <= (kSanitized ? 10s : 4s));
  // A stopped process gets no ABRT.
  CHECK(told_first(cluster, "exit", {{"pid", stopped}}).at("signal") == "KILL");
  REQUIRE(replaced(cluster, stopped, 4));
  const LoadReport report = load.stop();
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(report.count(Kind::refused) == 0);
  CHECK(report.count(Kind::unanswered) == 0);
  CHECK(report.count(Kind::reset) <= 1);  // the one that it had taken
  if (!kSanitized) CHECK(report.percentile(1) < 3s);
  CHECK_FALSE(told(cluster, "stall", {{"pid", stopped}}).empty());
  CHECK(told(cluster, "hang").size() == 1);
}

TEST_CASE("D21: a master that was stopped for twice heartbeat_timeout kills nobody") {
  const auto timeout = kSanitized ? 2s : 1s;
  Cluster cluster(
      fixtures(4, "heartbeat_timeout = \"" + std::to_string(timeout.count()) + "s\"\n"));
  const auto workers = cluster.workers();
  const pid_t master = cluster.master().pid();
  for (int times = 0; times < 2; ++times) {
    ::kill(master, SIGSTOP);
    let_pass(2 * timeout);
    ::kill(master, SIGCONT);
    // Time enough to be taken for hung.
    let_pass(timeout + 1s);
    CHECK(cluster.workers() == workers);
  }
  CHECK(told(cluster, "hang").empty());
  CHECK(told(cluster, "exit").empty());
  CHECK(get(cluster.port(), 20s).ok());
}

TEST_CASE("D21: a worker that is idle, and one that knows no heartbeat, live for many timeouts") {
  const std::string keys = "heartbeat_timeout = \"1s\"\n";
  ClusterOptions raw = fixtures(2, keys);
  const TempDir dir;
  raw.command = {"/bin/sh", dir.write("worker",
                                      R"(echo '{"cmd":"CLUSTERD","act":"hello","version":1}' >&3
read welcome <&3
echo '{"cmd":"CLUSTERD","act":"ready"}' >&3
exec sleep 1000
)")};
  Cluster idle(fixtures(2, keys));
  Cluster foreign(raw);
  const auto idle_workers = idle.workers();
  const auto foreign_workers = foreign.workers();
  let_pass(kSanitized ? 6s : 10s);
  CHECK(idle.workers() == idle_workers);
  CHECK(foreign.workers() == foreign_workers);
  for (const Cluster* cluster : {&idle, &foreign}) {
    CHECK(told(*cluster, "hang").empty());
    CHECK(told(*cluster, "exit").empty());
  }
}

TEST_CASE("D10: one that stops saying WATCHDOG=1 is a hang, though its loop turns") {
  ClusterOptions options = fixtures(1, "heartbeat_timeout = \"2s\"\n");
  options.worker_keys += "env = { FIXTURE_WATCHDOGS = \"10\" }\n";
  Cluster cluster(options);
  const Told ready = told_first(cluster, "ready", {{"worker", 1}});
  const auto first = ready.at("pid").as_int64();
  const Told hang = told_first(cluster, "hang", {{"pid", first}});
  CHECK(hang.at("reason") == "it has not said WATCHDOG=1 for 2 s");
  CHECK(time_of(hang) - time_of(ready) >= 1900ms);
  // By ABRT, or by itself: its loop turns, and may see the end of its connections first.
  CHECK(told_first(cluster, "exit", {{"pid", first}}).at("planned") == false);
  REQUIRE(eventually([&] { return told(cluster, "ready", {{"worker", 2}}).size() == 1; }, 30s));
}
