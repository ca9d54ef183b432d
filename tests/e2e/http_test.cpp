// Metrics of a cluster as D30 of our list wants them: one endpoint, which no worker delays and
// whose counters outlive the workers.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/load.h"
#include "tests/support/local_server.h"
#include "tests/support/metrics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

/// The time that half of them take at most: the machine may be busy with other things now and then.
template <typename Deed>
milliseconds median_of_eleven(Deed deed) {
  std::array<std::chrono::steady_clock::duration, 11> took;
  for (auto& each : took) {
    const auto begin = std::chrono::steady_clock::now();
    deed();
    each = std::chrono::steady_clock::now() - begin;
  }
  std::nth_element(took.begin(), took.begin() + 5, took.end());
  return std::chrono::ceil<milliseconds>(took[5]);
}

void serve(Cluster& cluster, std::uint64_t requests) {
  const LoadReport report =
      Load(cluster.port(), {.clients = 8, .most = requests, .patience = 20s}).finish();
  CAPTURE(report.text());
  CHECK(report.done() == requests);
}

std::string slot_of(int slot) { return "{slot=\"" + std::to_string(slot) + "\"}"; }

}  // namespace

TEST_CASE("a stopped worker delays no scrape") {
  Cluster cluster({.workers = 4, .command = {fixture_worker()}, .more = kHttp});
  const std::uint16_t port = http_port(cluster);
  REQUIRE(port != 0);
  serve(cluster, 100);
  const std::vector<pid_t> workers = cluster.workers();
  REQUIRE(::kill(workers[1], SIGSTOP) == 0);
  Metrics now;
  const milliseconds took = median_of_eleven([&] { now = metrics(port); });
  CHECK(took <= 50ms);
  CHECK(now["clusterd_listener_accepted_total{listener=\"http\"}"] == 100);
  CHECK(now["clusterd_slot_up{slot=\"1\"}"] == 1);
  CHECK(median_of_eleven([&] { CHECK(page(port, "/readyz").status == 200); }) <= 50ms);
  REQUIRE(::kill(workers[1], SIGCONT) == 0);
}

TEST_CASE("the counters of dead workers are kept") {
  Cluster cluster({.workers = 2, .command = {fixture_worker()}, .more = kHttp});
  const std::uint16_t port = http_port(cluster);
  Metrics before;
  for (int round = 0; round < 3; ++round) {
    serve(cluster, 200);
    Metrics now = metrics(port);
    CHECK(went_down(before, now).empty());
    const double taken = now["clusterd_slot_taken_total" + slot_of(0)] +
                         now["clusterd_slot_taken_total" + slot_of(1)];
    CHECK(taken == 200 * (round + 1));
    for (const pid_t worker : cluster.workers()) REQUIRE(::kill(worker, SIGKILL) == 0);
    CHECK(eventually(
        [&] {
          return metrics(port)["clusterd_worker_deaths_total{how=\"signal\"}"] == 2 * (round + 1);
        },
        20s));
    CHECK(eventually([&] { return cluster.running(2); }, 20s));
    before = now;
  }
  Metrics now = metrics(port);
  CHECK(went_down(before, now).empty());
  CHECK(now["clusterd_worker_restarts_total{reason=\"crash\"}"] == 6);
  CHECK(now["clusterd_slot_deaths_total" + slot_of(0)] == 3);
  CHECK(now["clusterd_slot_starts_total" + slot_of(0)] == 4);
  CHECK(now["clusterd_events_total{event=\"exit\"}"] == 6);
}

TEST_CASE("the counters of a listener outlive a reload that changes its policy") {
  Cluster cluster({.workers = 2, .command = {fixture_worker()}, .more = kHttp});
  const std::uint16_t port = http_port(cluster);
  const std::string name = "clusterd_listener_accepted_total{listener=\"http\"}";
  serve(cluster, 100);
  Metrics before = metrics(port);
  CHECK(before[name] == 100);
  std::string policy = "round-robin";
  std::string conf = read_file(cluster.conf());
  double accepted = 100;
  for (const std::string next : {"accept-race", "sticky"}) {
    conf.replace(conf.find("\"" + policy + "\""), policy.size() + 2, "\"" + next + "\"");
    policy = next;
    (void)cluster.dir().write("app.conf", conf);
    REQUIRE(cluster.verb({"reload"}).code == 0);
    serve(cluster, 50);
    accepted += 50;
    CHECK(eventually([&] { return metrics(port)[name] == accepted; }, 10s));
    Metrics now = metrics(port);
    CHECK(went_down(before, now).empty());
    before = now;
  }
  CHECK(before["clusterd_reloads_total{verdict=\"done\"}"] == 2);
  CHECK(before["clusterd_worker_restarts_total{reason=\"reload\"}"] == 4);
}

TEST_CASE("a stopped agent delays neither the master nor the workers") {
  Cluster cluster({.workers = 2, .command = {fixture_worker()}, .more = kHttp});
  const std::uint16_t port = http_port(cluster);
  const pid_t agent = cluster.agent();
  std::vector<std::unique_ptr<Client>> waiting;
  REQUIRE(::kill(agent, SIGSTOP) == 0);
  for (int number = 0; number < 20; ++number) {
    waiting.push_back(std::make_unique<Client>(port));
    waiting.back()->ask(true, "/metrics");
  }
  serve(cluster, 200);
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK(cluster.agent() == agent);
  REQUIRE(::kill(agent, SIGCONT) == 0);
  for (const auto& client : waiting) CHECK(client->read_to_end(10s).ok());
}

TEST_CASE("the listener is the master's: an agent that dies loses who it held and no more") {
  Cluster cluster({.workers = 1, .more = kHttp});
  const std::uint16_t port = http_port(cluster);
  CHECK(page(port, "/healthz").status == 200);
  const pid_t agent = cluster.agent();
  REQUIRE(::kill(agent, SIGKILL) == 0);
  // Whoever comes now waits in the listener's queue for the next.
  CHECK(eventually([&] { return page(port, "/healthz").status == 200; }, 20s));
  CHECK(eventually([&] { return cluster.agent() != agent && cluster.agent() != 0; }, 20s));
  CHECK(metrics(port)["clusterd_agent_restarts_total"] == 1);
}

TEST_CASE("an address that is taken is an error of the start") {
  const LocalServer taken;
  const std::string address = "127.0.0.1:" + std::to_string(taken.port);
  Cluster cluster({.more = "[http]\naddress = \"" + address + "\"\n", .wait_until_running = false});
  CHECK(cluster.master().wait(20s) == 71);
  CHECK(cluster.log().find("http.address: bind " + address + ": Address already in use") !=
        std::string::npos);
}

TEST_CASE("a reload moves the endpoint, and one to a port in use leaves it") {
  Cluster cluster({.workers = 1, .more = kHttp});
  const std::uint16_t first = http_port(cluster);
  const std::string conf = read_file(cluster.conf());
  const auto reload_to = [&](const std::string& address) {
    std::string next = conf;
    next.replace(next.rfind("127.0.0.1:0"), 11, address);
    (void)cluster.dir().write("app.conf", next);
    return cluster.verb({"reload"});
  };
  {
    const LocalServer taken;
    const Finished refused = reload_to("127.0.0.1:" + std::to_string(taken.port));
    CHECK(refused.code == 71);
    CHECK(refused.err.find("Address already in use") != std::string::npos);
    CHECK(http_port(cluster) == first);
    CHECK(page(first, "/healthz").status == 200);
  }
  CHECK(reload_to("unix:http.sock").code == 0);
  // The agent has it open until it has heard.
  CHECK(eventually([&] { return Client(first).refused(); }, 10s));
  CHECK(reload_to("127.0.0.2:0").code == 0);
  CHECK(reload_to("127.0.0.1:0").code == 0);
  const std::uint16_t last = http_port(cluster);
  CHECK(page(last, "/healthz").status == 200);
  (void)cluster.dir().write("app.conf", conf.substr(0, conf.rfind("[http]")));
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK(http_port(cluster) == 0);
  CHECK(eventually([&] { return Client(last).refused(); }, 10s));
}
