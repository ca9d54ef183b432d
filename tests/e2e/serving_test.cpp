// The main job on the real daemon: connections come in, workers answer them.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <boost/json/array.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

std::string url(Cluster& cluster) {
  return "http://127.0.0.1:" + std::to_string(cluster.port()) + "/";
}

/// Connections answered by each worker in `count` requests one after the other.
std::map<long, int> spread(Cluster& cluster, int count) {
  std::map<long, int> by_worker;
  for (int i = 0; i < count; ++i) {
    const Reply reply = get(cluster.port());
    REQUIRE(reply.ok());
    ++by_worker[pid_in(reply.body)];
  }
  return by_worker;
}

double max_to_min(const std::map<long, int>& counts) {
  const auto by_count = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto [min, max] = std::minmax_element(counts.begin(), counts.end(), by_count);
  return static_cast<double>(max->second) / min->second;
}

/// Times that the processes went to sleep by themselves.
long voluntary_switches(const std::vector<pid_t>& pids) {
  long sum = 0;
  for (const pid_t pid : pids) {
    const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
    sum += std::stol(status.substr(status.find("\nvoluntary_ctxt_switches:") + 25));
  }
  return sum;
}

/// How connections spread over the workers of a listener that all accept from.
struct Race {
  std::size_t workers = 0;  ///< who got any
  double max_to_min = 0;
  double switches = 0;  ///< a connection, of all workers together

  // A worker sleeps for a connection and, if it is quicker than the client, for the request. More
  // would be workers that woke up for nothing: with all 8 woken it is 8 and more.
  [[nodiscard]] bool good() const { return workers == 8 && max_to_min <= 1.5 && switches <= 2.5; }
};

Race race(Cluster& cluster) {
  constexpr int kConnections = 800;
  const auto workers = cluster.workers();
  const long before = voluntary_switches(workers);
  const auto counts = spread(cluster, kConnections);
  const long switches = voluntary_switches(workers) - before;
  return {counts.size(), max_to_min(counts), static_cast<double>(switches) / kConnections};
}

}  // namespace

TEST_CASE("curl is answered by a worker, in both policies") {
  for (const char* policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    Cluster cluster({.policy = policy});
    const Finished curl = run({"curl", "-sS", url(cluster)});
    CHECK(curl.code == 0);
    CHECK(curl.out.starts_with("handled by worker, pid is "));
    const auto workers = cluster.workers();
    CHECK(std::count(workers.begin(), workers.end(), pid_in(curl.out)) == 1);
  }
}

TEST_CASE("wrk gets its answers in both policies, keep-alive and not, and no error") {
  for (const char* policy : {"round-robin", "accept-race"}) {
    for (const char* connection : {"keep-alive", "close"}) {
      CAPTURE(policy);
      CAPTURE(connection);
      Cluster cluster({.workers = 4, .policy = policy});
      const Finished wrk = run({"wrk", "-t1", "-c64", "-d1", "--timeout", "30", "-H",
                                std::string("Connection: ") + connection, url(cluster)});
      CAPTURE(wrk.out);
      CHECK(wrk.code == 0);
      CHECK(wrk.out.find("Requests/sec") != std::string::npos);
      CHECK(wrk.out.find("Socket errors") == std::string::npos);
      CHECK(wrk.out.find("Non-2xx") == std::string::npos);
      CHECK(cluster.verb({"stop"}).code == 0);
    }
  }
}

TEST_CASE("round-robin over 4 workers is exactly even over 2,000 connections") {
  Cluster cluster({.workers = 4});
  const auto counts = spread(cluster, 2000);
  CHECK(counts.size() == 4);
  CHECK(max_to_min(counts) <= 1.05);
}

TEST_CASE("accept race among 8 idle workers is fair and wakes one worker a connection") {
  for (const bool asio : {true, false}) {
    CAPTURE(asio);
    const std::string program = asio ? http_worker() : fixture_worker();
    Cluster cluster({.workers = 8, .policy = "accept-race", .command = {program}});
    // On a machine that is busy with other things a worker may be off its CPU when its turn comes,
    // and others serve for it; that passes. A defect in the race shows in every round.
    Race seen = race(cluster);
    for (int again = 0; again < 2 && !seen.good(); ++again) {
      MESSAGE("round: workers ", seen.workers, ", max/min ", seen.max_to_min, ", switches ",
              seen.switches);
      seen = race(cluster);
    }
    CAPTURE(seen.workers);
    CAPTURE(seen.max_to_min);
    CAPTURE(seen.switches);
    CHECK(seen.good());
  }
}

TEST_CASE("a request on a kept connection stays with its worker") {
  Cluster cluster({.workers = 2});
  Client client(cluster.port());
  std::set<long> pids;
  for (int i = 0; i < 20; ++i) {
    client.ask(false);
    const Reply reply = client.read_one(5s);
    REQUIRE(reply.ok());
    pids.insert(pid_in(reply.body));
  }
  CHECK(pids.size() == 1);
}

TEST_CASE("http-worker runs without clusterd and binds for itself") {
  const TempDir dir;
  Program worker({http_worker(), "127.0.0.1:0"}, dir.path("out"), dir.path("err"));
  std::string line;
  REQUIRE(eventually([&] { return (line = read_file(dir.path("out"))).ends_with("\n"); }, 10s));
  line.pop_back();
  const auto port = static_cast<std::uint16_t>(std::stoul(line.substr(line.rfind(':') + 1)));
  const Reply reply = get(port);
  CHECK(reply.ok());
  CHECK(pid_in(reply.body) == worker.pid());
  worker.signal(SIGTERM);
  CHECK(worker.wait(10s) == 128 + SIGTERM);
}
