// A stop that serves on for stop_delay first: whoever sends clients here asks whether it is ready
// only now and then, and goes on sending for as long as he has not heard (D9).
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/load.h"
#include "tests/support/metrics.h"
#include "tests/support/told.h"

#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <poll.h>
#include <string>

using namespace clusterd::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

ClusterOptions delayed(const std::string& delay, const std::string& policy = "round-robin") {
  return {.workers = 2, .policy = policy, .command = {fixture_worker()}, .stop_delay = delay};
}

bool is_delaying(const Cluster& cluster) {
  const auto status = cluster.status();
  return status && status->at("accepting_ready") == false && status->at("state") == "stopping" &&
         status->at("stops_in_s").is_double();
}

}  // namespace

TEST_CASE("who comes within stop_delay is served, and it is said that it stops (D9)") {
  for (const std::string policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    Cluster cluster(delayed("2s", policy));
    CHECK(cluster.status()->at("accepting_ready") == true);
    CHECK(cluster.status()->at("stops_in_s").is_null());
    const pid_t victim = cluster.workers().front();
    const auto begin = Clock::now();
    Load load(cluster.port(), {.rate = 100, .patience = 30s});
    cluster.master().signal(SIGTERM);
    CHECK(eventually([&] { return is_delaying(cluster); }, 10s));
    CHECK(told_first(cluster, "stop").at("delay_ms").as_int64() > 1500);
    // One that dies meanwhile is replaced: two are to serve until the end of the delay.
    ::kill(victim, SIGKILL);
    ::poll(nullptr, 0, 800);
    const LoadReport report = load.stop();
    CAPTURE(report.text());
    // Unless the machine was so slow that the load went on beyond it.
    if (Clock::now() - begin < 1900ms) {
      CHECK(report.sound());
      CHECK(report.count(Outcome::Kind::refused) == 0);
      CHECK(report.lost() <= 16);  // what the killed one had taken
      CHECK(report.done() > 0);
    }
    CHECK(cluster.master().wait(20s) == 0);
    CHECK(Clock::now() - begin >= 2s);
    CHECK(cluster.log().find("not ready any more; serving on for 2") != std::string::npos);
  }
}

TEST_CASE("within stop_delay readyz says no, and requests are served (D9)") {
  ClusterOptions options = delayed("1000s");
  options.more = kHttp;
  Cluster cluster(options);
  const std::uint16_t probes = http_port(cluster);
  CHECK(page(probes, "/readyz").status == 200);
  cluster.master().signal(SIGTERM);
  CHECK(eventually([&] { return page(probes, "/readyz").status == 503; }, 10s));
  CHECK(page(probes, "/healthz").status == 200);
  for (int time = 0; time < 10; ++time) CHECK(get(cluster.port()).ok());
  CHECK(page(probes, "/readyz").status == 503);
  CHECK(cluster.verb({"stop", "--now"}).code == 0);
}

TEST_CASE("without stop_delay the listener closes at once (D9)") {
  ClusterOptions options = delayed("0");
  options.command.emplace_back("events");
  Cluster cluster(options);
  const std::uint16_t port = cluster.port();
  // It keeps the cluster from its end, for as long as it takes to see who is let in meanwhile.
  Client slow(port);
  slow.ask(true, "/slow?ms=2000");
  cluster.master().signal(SIGTERM);
  CHECK(eventually([&] { return Client(port).refused(); }, 10s));
  CHECK(cluster.master().running());
  CHECK(slow.read_to_end(20s).ok());
  CHECK(cluster.master().wait(20s) == 0);
  CHECK(cluster.log().find("stop_delay") == std::string::npos);
}

TEST_CASE("a second INT, QUIT or a stop --now cuts stop_delay short, and TERM does not") {
  for (const std::string how : {"INT", "QUIT", "stop --now"}) {
    CAPTURE(how);
    Cluster cluster(delayed("1000s"));
    cluster.master().signal(SIGINT);
    CHECK(eventually([&] { return is_delaying(cluster); }, 10s));
    cluster.master().signal(SIGTERM);
    CHECK_FALSE(eventually([&] { return !cluster.master().running(); }, 200ms));
    CHECK(cluster.verb({"reload"}).err.find("the cluster stops") != std::string::npos);
    CHECK(cluster.verb({"scale", "3"}).err.find("the cluster stops") != std::string::npos);
    if (how == "INT") cluster.master().signal(SIGINT);
    if (how == "QUIT") cluster.master().signal(SIGQUIT);
    if (how == "stop --now") CHECK(cluster.verb({"stop", "--now"}).code == 0);
    CHECK(cluster.master().wait(20s) == 0);
  }
}
