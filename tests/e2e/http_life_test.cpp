// What /healthz and /readyz say over the life of a cluster.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/metrics.h"

#include <doctest/doctest.h>

#include <csignal>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

bool says(const Page& page, int status, const std::string& part) {
  return page.status == status && page.body.find(part) != std::string::npos;
}

/// With a file that says how those who start from now on are.
ClusterOptions moody(unsigned workers, const std::string& more) {
  return {.workers = workers,
          .command = {fixture_worker()},
          .worker_keys = "env = { FIXTURE_MOOD_FILE = \"mood\" }\n",
          .more = kHttp + more};
}

}  // namespace

TEST_CASE("readyz says no until all workers are ready, and healthz does not mind") {
  Cluster cluster({.workers = 2,
                   .command = {fixture_worker()},
                   .worker_keys = "env = { FIXTURE_NEVER_READY = \"1\" }\n",
                   .more = kHttp,
                   .wait_until_running = false});
  std::uint16_t port = 0;
  REQUIRE(eventually([&] { return (port = http_port(cluster)) != 0; }, 20s));
  CHECK(eventually([&] { return says(page(port, "/readyz"), 503, "the cluster starts: 0 of 2"); },
                   20s));
  CHECK(page(port, "/healthz").status == 200);
  CHECK(metrics(port)["clusterd_ready"] == 0);
  CHECK(metrics(port)["clusterd_state{state=\"starting\"}"] == 1);
}

TEST_CASE("readyz says yes over a reload, also one that fails") {
  Cluster cluster(moody(2, ""));
  const std::uint16_t port = http_port(cluster);
  CHECK(says(page(port, "/readyz"), 200, "2 of 2 workers are ready"));
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK(says(page(port, "/readyz"), 200, "2 of 2 workers are ready"));
  (void)cluster.dir().write("mood", "FIXTURE_DIE_AT_START=3\n");
  CHECK(cluster.verb({"reload"}).code == 75);
  CHECK(says(page(port, "/readyz"), 200, "2 of 2 workers are ready"));
  CHECK(metrics(port)["clusterd_reloads_total{verdict=\"failed\"}"] == 1);
  CHECK(metrics(port)["clusterd_reloads_total{verdict=\"done\"}"] == 1);
}

TEST_CASE("readyz says no when the pool has given up, and yes when it is cured") {
  Cluster cluster(moody(2,
                        "[restart]\nlimit = 3\nbackoff = { first = \"10ms\", max = \"10ms\" }\n"
                        "giveup_retry = \"500ms\"\n"));
  const std::uint16_t port = http_port(cluster);
  (void)cluster.dir().write("mood", "FIXTURE_DIE_AT_START=3\n");
  for (const pid_t worker : cluster.workers()) REQUIRE(::kill(worker, SIGKILL) == 0);
  CHECK(eventually(
      [&] { return says(page(port, "/readyz"), 503, "0 of 2 workers are ready, and the cluster"); },
      20s));
  CHECK(page(port, "/healthz").status == 200);
  Metrics now = metrics(port);
  CHECK(now["clusterd_given_up"] == 1);
  CHECK(now["clusterd_events_total{event=\"giveup\"}"] == 1);
  CHECK(now["clusterd_deaths_limit"] == 3);
  (void)cluster.dir().write("mood", "");
  CHECK(eventually([&] { return says(page(port, "/readyz"), 200, "2 of 2"); }, 20s));
  CHECK(metrics(port)["clusterd_given_up"] == 0);
}

TEST_CASE("readyz says no as soon as a stop has begun") {
  Cluster cluster({.workers = 1,
                   .command = {fixture_worker(), "events"},
                   .worker_keys = "drain_timeout = \"60s\"\n",
                   .more = kHttp});
  const std::uint16_t port = http_port(cluster);
  Client busy(cluster.port());
  CHECK(
      eventually([&] { return metrics(port)["clusterd_slot_connections{slot=\"0\"}"] == 1; }, 10s));
  CHECK(cluster.verb({"stop", "--no-wait"}).code == 0);
  CHECK(says(page(port, "/readyz"), 503, "the cluster stops"));
  CHECK(page(port, "/healthz").status == 200);
  busy.ask();
  CHECK(busy.read_to_end(20s).ok());
  CHECK(cluster.master().wait(20s) == 0);
}

TEST_CASE("healthz says no while the master does not answer") {
  Cluster cluster({.workers = 1, .more = kHttp});
  const std::uint16_t port = http_port(cluster);
  cluster.master().signal(SIGSTOP);
  CHECK(says(page(port, "/healthz"), 503, "the master does not answer"));
  cluster.master().signal(SIGCONT);
  CHECK(eventually([&] { return page(port, "/healthz").status == 200; }, 10s));
}
