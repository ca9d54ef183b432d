// What users of other supervisors lose when they reload, as D11 to D14 of our list: nothing, and
// who reloads what does not work keeps what did.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/load.h"

#include <boost/json/array.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

using Clock = std::chrono::steady_clock;

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;
constexpr unsigned kWorkers = 4;
/// The demand says 100,000 requests; what counts is that none of those that there are is lost.
constexpr double kRate = kSanitized ? 200 : 2000;
constexpr unsigned kReloads = kSanitized ? 8 : 20;

ClusterOptions options(const std::string& policy, const std::string& reload) {
  return {.workers = kWorkers,
          .policy = policy,
          .command = {fixture_worker()},
          .worker_keys = "env = { FIXTURE_MOOD_FILE = \"mood\" }\n",
          .more = "[reload]\n" + reload};
}

LoadOptions common_load() { return {.rate = kRate, .patience = kSanitized ? 30s : 5s}; }

std::int64_t generation_of(const boost::json::value& worker) {
  return worker.at("generation").as_int64();
}

/// All workers are ready and of one generation: gives which, else 0.
std::int64_t only_generation(const Cluster& cluster) {
  const auto now = cluster.status();
  if (!now || now->at("state") != "running") return 0;
  const auto& workers = now->at("workers").as_array();
  const bool same = std::all_of(workers.begin(), workers.end(), [&](const auto& worker) {
    return worker.at("state") == "ready" && generation_of(worker) == generation_of(workers[0]);
  });
  return same ? generation_of(workers[0]) : 0;
}

std::size_t ready_in(const boost::json::value& status) {
  const auto& workers = status.at("workers").as_array();
  return static_cast<std::size_t>(std::count_if(
      workers.begin(), workers.end(), [](const auto& one) { return one.at("state") == "ready"; }));
}

void check_nothing_lost(const LoadReport& report, std::uint64_t at_least) {
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(report.lost() == 0);
  CHECK(report.done() >= at_least);
}

/// Clients that keep their connections, and close them when the server says so.
class KeptConnections {
 public:
  KeptConnections(std::uint16_t port, unsigned clients) {
    for (unsigned at = 0; at < clients; ++at) {
      threads_.emplace_back([this, port] { run(port); });
    }
  }
  void stop() {
    stopping_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

  std::atomic<unsigned> done{0};
  std::atomic<unsigned> lost{0};
  /// Requests that crossed the server's goodbye on their way. Every client asks those again.
  std::atomic<unsigned> crossed{0};

 private:
  void run(std::uint16_t port) {
    while (!stopping_) {
      Client client(port);
      if (client.refused()) {
        ++lost;
        continue;
      }
      for (bool first = true; !stopping_; first = false) {
        client.ask(false);
        const Reply reply = client.read_one(30s);
        if (reply.ok()) {
          ++done;
          continue;
        }
        const bool goodbye = reply.kind == Reply::Kind::eof || reply.kind == Reply::Kind::reset;
        ++(first || !goodbye ? lost : crossed);
        break;
      }
    }
  }

  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace

TEST_CASE("D11: reload after reload under load loses nothing, whatever the policy") {
  for (const char* policy : {"round-robin", "accept-race", "least-connections", "sticky"}) {
    CAPTURE(policy);
    Cluster cluster(options(policy, "settle = \"0\"\n"));
    constexpr unsigned kRequests = kSanitized ? 100 : 1000;
    Load load(cluster.port(), common_load());
    unsigned reloads = 0;
    // On a quick machine the reloads alone are over before there is anything to lose.
    for (; reloads < kReloads || load.done() < kRequests; ++reloads) {
      const Finished reload = cluster.verb({"reload"});
      REQUIRE_MESSAGE(reload.code == 0, reload.err);
    }
    // Old ones may still be draining.
    CHECK(eventually([&] { return only_generation(cluster) == 1 + reloads; }, 30s));
    check_nothing_lost(load.stop(), kRequests);
  }
}

TEST_CASE("D11: kept connections lose nothing by a reload but the race of two goodbyes") {
  Cluster cluster({.workers = kWorkers, .more = "[reload]\nsettle = \"0\"\n"});
  KeptConnections clients(cluster.port(), 8);
  for (unsigned round = 0; round < kReloads / 2; ++round) {
    const unsigned before = clients.done;
    const Finished reload = cluster.verb({"reload"});
    CHECK_MESSAGE(reload.code == 0, reload.err);
    CHECK(eventually([&] { return clients.done > before + 8; }, 20s));
  }
  clients.stop();
  CHECK(clients.lost == 0);
  CHECK(clients.done > 100);
  // A client has at most one request on its way at the end of each connection.
  CHECK(clients.crossed <= clients.done / 10);
}

TEST_CASE("D11: a reload that changes the policy under load loses nothing") {
  ClusterOptions start = options("round-robin", "settle = \"0\"\n");
  start.listen_keys = "queue_timeout = \"100ms\"\n";
  Cluster cluster(start);
  std::string conf = read_file(cluster.conf());
  Load load(cluster.port(), common_load());
  std::string before = "round-robin";
  for (const char* policy : {"sticky", "accept-race", "least-connections", "accept-race",
                             "round-robin", "sticky", "least-connections", "round-robin"}) {
    CAPTURE(policy);
    conf.replace(conf.find(before), before.size(), policy);
    before = policy;
    cluster.dir().write("app.conf", conf);
    const Finished reload = cluster.verb({"reload"});
    CHECK_MESSAGE(reload.code == 0, reload.err);
  }
  check_nothing_lost(load.stop(), 50);
}

TEST_CASE("D12: a new generation that does not work leaves the old one at full strength") {
  struct Case {
    const char* mood;
    const char* settle;
    const char* says;
    const char* last_words;
  };
  for (const Case& broken :
       {Case{"FIXTURE_DIE_AT_START=1\n", "1s", "before it was ready", "dies at its start, with 1"},
        Case{"FIXTURE_NEVER_READY=1\n", "1s", "ready_timeout", ""},
        Case{"FIXTURE_DIE_AFTER_MS=300\n", "30s", "soon after it was ready", ""}}) {
    CAPTURE(broken.mood);
    ClusterOptions start =
        options("round-robin", "settle = \"" + std::string(broken.settle) + "\"\n");
    const auto ready_timeout = kSanitized ? 10s : 2s;
    start.worker_keys += "ready_timeout = \"" + std::to_string(ready_timeout.count()) + "s\"\n";
    Cluster cluster(start);
    const auto before = cluster.workers();
    Load load(cluster.port(), common_load());
    cluster.dir().write("mood", broken.mood);
    const auto began = Clock::now();
    const Finished reload = cluster.verb({"reload"});
    const auto took = std::chrono::ceil<milliseconds>(Clock::now() - began);
    CAPTURE(reload.err);
    CHECK(reload.code == 75);
    CHECK(reload.err.find("generation 2 failed") != std::string::npos);
    CHECK(reload.err.find(broken.says) != std::string::npos);
    CHECK(reload.err.find(broken.last_words) != std::string::npos);
    CHECK(took <= ready_timeout + (kSanitized ? 20s : 1s));
    CHECK(cluster.workers() == before);
    // The verdict does not wait until those that failed have ended.
    CHECK(eventually([&] { return only_generation(cluster) == 1; }, 30s));
    check_nothing_lost(load.stop(), 10);
    // What was mended is loaded, without a wait for what became of the last.
    cluster.dir().write("mood", "");
    if (std::string(broken.settle) == "1s") CHECK(cluster.verb({"reload"}).code == 0);
  }
}

TEST_CASE("D12: a later worker that fails brings the old generation back everywhere") {
  Cluster cluster(options("round-robin", "settle = \"300ms\"\n"));
  Load load(cluster.port(), common_load());
  Program reload({clusterd_program(), "reload", cluster.conf()}, cluster.dir().path("said"),
                 cluster.dir().path("why"));
  // Those that start from when the second generation has proved itself are broken.
  const auto drains = [&] {
    return cluster.log().find("generation 2 takes its place") != std::string::npos;
  };
  cluster.dir().write("mood", "FIXTURE_READY_AFTER_MS=1000\n");
  REQUIRE(eventually(drains, 30s));
  cluster.dir().write("mood", "FIXTURE_DIE_AT_START=7\n");
  const int code = reload.wait(60s);
  cluster.dir().write("mood", "");
  const std::string why = read_file(cluster.dir().path("why"));
  CAPTURE(why);
  CHECK(code == 75);
  CHECK(why.find("exited with code 7") != std::string::npos);
  CHECK(eventually([&] { return only_generation(cluster) == 1; }, 30s));
  CHECK(cluster.running(kWorkers));
  check_nothing_lost(load.stop(), 50);
}

TEST_CASE("D13: a second reload waits its turn and says so") {
  Cluster cluster(options("round-robin", "settle = \"1s\"\n"));
  const auto reload = [&](const std::string& name) {
    return std::make_unique<Program>(
        std::vector<std::string>{clusterd_program(), "reload", cluster.conf()},
        cluster.dir().path(name), cluster.dir().path(name + ".err"));
  };
  const auto first = reload("first");
  REQUIRE(eventually([&] { return cluster.status()->at("state") == "reloading"; }, 20s));
  const auto second = reload("second");
  const auto third = reload("third");
  const std::string waits = "waits for generation 2, which is on its way";
  for (const char* err : {"second.err", "third.err"}) {
    CHECK(eventually(
        [&] { return read_file(cluster.dir().path(err)).find(waits) != std::string::npos; }, 20s));
  }
  CHECK(first->wait(60s) == 0);
  CHECK(second->wait(60s) == 0);
  CHECK(third->wait(60s) == 0);
  CHECK(read_file(cluster.dir().path("first")).find("generation 2 is in place") == 0);
  // One for both.
  CHECK(read_file(cluster.dir().path("second")).find("generation 3 is in place") == 0);
  CHECK(only_generation(cluster) == 3);
}

TEST_CASE("D13: HUP is the same path, and who asked may go") {
  Cluster cluster(options("round-robin", "settle = \"100ms\"\n"));
  cluster.master().signal(SIGHUP);
  CHECK(eventually([&] { return only_generation(cluster) == 2; }, 30s));
  {
    const Program killed({clusterd_program(), "reload", cluster.conf()}, cluster.dir().path("out2"),
                         cluster.dir().path("err2"));
    const auto begins = [&] {
      return read_file(cluster.dir().path("err2")).find("begins") != std::string::npos;
    };
    REQUIRE(eventually(begins, 20s));
  }
  CHECK(eventually([&] { return only_generation(cluster) == 3; }, 30s));
  CHECK(cluster.verb({"reload", "--no-wait"}).code == 0);
  CHECK(eventually([&] { return only_generation(cluster) == 4; }, 30s));
}

TEST_CASE("D14: a rolling restart never has fewer ready workers than n - max_unavailable") {
  struct Case {
    const char* keys;
    std::size_t fewest;
    std::size_t most;
  };
  for (const Case& budget : {Case{"surge = 1\nmax_unavailable = 0\n", 4, 5},
                             Case{"surge = 0\nmax_unavailable = 1\n", 3, 4},
                             Case{"surge = 0\nmax_unavailable = 2\n", 2, 4}}) {
    CAPTURE(budget.keys);
    Cluster cluster(options("round-robin", std::string(budget.keys) + "settle = \"0\"\n"));
    Load load(cluster.port(), common_load());
    cluster.dir().write(
        "mood", std::string("FIXTURE_READY_AFTER_MS=") + (kSanitized ? "900" : "500") + "\n");
    Program restart({clusterd_program(), "restart", cluster.conf()}, cluster.dir().path("said"),
                    cluster.dir().path("why"));
    std::size_t fewest = kWorkers;
    std::size_t most = 0;
    std::size_t samples = 0;
    while (restart.running()) {
      const auto now = cluster.status();
      REQUIRE(now.has_value());
      fewest = std::min(fewest, ready_in(*now));
      most = std::max(most, ready_in(*now));
      ++samples;
    }
    CHECK(restart.wait(1s) == 0);
    CHECK(fewest >= budget.fewest);
    CHECK(most <= budget.most);
    CHECK(samples > 5);
    CHECK(eventually([&] { return only_generation(cluster) == 2; }, 30s));
    check_nothing_lost(load.stop(), 10);
  }
}
