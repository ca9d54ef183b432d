// Workers without a channel: what the master knows of them, and how it asks them to leave.
#include "tests/support/eventually.h"
#include "tests/support/exchanges.h"
#include "tests/support/pool.h"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <string>

namespace clusterd::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kHttp = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";

ClusterOptions inherits(const std::string& worker_keys = "ready = \"notify\"\n") {
  ClusterOptions options;
  options.policy = "accept-race";
  options.command = {"python3", std::string(CLUSTERD_SOURCE_DIR) + "/tests/servers/inherits.py"};
  options.worker_keys = "protocol = \"listen-fds\"\n" + worker_keys;
  options.more = "[reload]\nsettle = \"100ms\"\n";
  return options;
}

bool says(const Cluster& cluster, const std::string& text) {
  return cluster.log().find(text) != std::string::npos ||
         read_file(cluster.dir().path("out")).find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("a worker that inherits its socket is ready when it says so, and serves") {
  Cluster cluster(inherits());
  CHECK(get(cluster.port()).ok());
  CHECK(pool_of(cluster).quiet(2));
}

TEST_CASE("a stop cuts off nobody who waits for workers that accept for themselves") {
  Cluster cluster(inherits());
  Exchanges load(cluster.port(), kHttp, "hello from ");
  REQUIRE(eventually([&] { return load.done() > 100; }, 20s));
  CHECK(cluster.verb({"stop"}).code == 0);
  load.stop();
  CHECK(load.lost() == 0);
  CHECK(load.done() > 100);
  CHECK(says(cluster, "asked to leave by SIGTERM"));
}

TEST_CASE("the signal that asks a worker to leave is app.conf's, also when the master dies") {
  Cluster cluster(inherits("ready = \"notify\"\ndrain_signal = \"QUIT\"\n"));
  const auto pids = cluster.workers();
  REQUIRE(pids.size() == 2);
  CHECK(cluster.verb({"recycle", "0"}).code == 0);
  CHECK(eventually([&] { return says(cluster, "asked to leave by SIGQUIT"); }, 20s));
  REQUIRE(eventually([&] { return pool_of(cluster).quiet(2); }, 20s));
  const auto left = cluster.workers();
  cluster.master().signal(SIGKILL);
  CHECK(eventually([&] { return !alive(left[0]) && !alive(left[1]); }, 10s));
}

TEST_CASE("a worker that says STOPPING=1 is replaced before it is gone, and hears no signal") {
  Cluster cluster(inherits());
  const auto before = cluster.workers();
  CHECK(get(cluster.port(), 10s, "/stopping").ok());
  CHECK(eventually([&] { return says(cluster, "said suicide: it said STOPPING=1"); }, 10s));
  CHECK(eventually([&] { return pool_of(cluster).quiet(2) && cluster.workers() != before; }, 20s));
  CHECK_FALSE(says(cluster, "asked to leave"));
}

TEST_CASE("a worker that does not say WATCHDOG=1 any more is found hung, and replaced") {
  Cluster cluster(
      inherits("ready = \"notify\"\nheartbeat_timeout = \"2s\"\nkill_timeout = \"1s\"\n"));
  const auto before = cluster.workers();
  CHECK(get(cluster.port(), 10s, "/hang").ok());
  CHECK(eventually([&] { return says(cluster, "it has not said WATCHDOG=1"); }, 20s));
  CHECK(eventually([&] { return pool_of(cluster).quiet(2) && cluster.workers() != before; }, 20s));
}

TEST_CASE("a worker that serves before it is ready leaves as any other") {
  ClusterOptions options = inherits("ready = { alive = \"30s\" }\nready_timeout = \"60s\"\n");
  options.wait_until_running = false;
  Cluster cluster(options);
  REQUIRE(eventually([&] { return pool_of(cluster).count("online") == 2; }, 20s));
  REQUIRE(eventually([&] { return get(cluster.port()).ok(); }, 20s));
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(says(cluster, "asked to leave by SIGTERM"));
}

TEST_CASE("a probe is what makes a worker ready, and its want makes a start fail") {
  Cluster served(inherits("ready = { alive = \"0\", http = \"/\" }\n"));
  CHECK(pool_of(served).quiet(2));
  Cluster accepted(inherits("ready = { alive = \"0\", tcp = true }\n"));
  CHECK(pool_of(accepted).quiet(2));

  ClusterOptions options = inherits(
      "ready = { alive = \"0\", tcp = true }\nready_timeout = \"1s\"\nenv = { SLOW = \"9\" }\n");
  options.wait_until_running = false;
  Cluster slow(options);
  CHECK(slow.master().wait(30s) == 75);
  CHECK(says(slow, "it was not ready within ready_timeout"));
}

TEST_CASE("a program without sockets is a worker as any other") {
  const TempDir dir;
  const std::string conf = dir.write("app.conf", R"(
workers = 2
[worker]
command = ["sh", "-c", "trap 'echo left {slot}; exit' TERM; echo here {slot}; sleep 1000 & wait"]
protocol = "none"
ready = "none"
[control]
socket = "ctl.sock"
)");
  Program master({clusterd_program(), "start", conf}, dir.path("out"), dir.path("err"));
  const auto verb = [&](std::vector<std::string> words) {
    words.insert(words.begin(), clusterd_program());
    words.push_back(conf);
    return run(words);
  };
  const auto ready = [&] {
    const Finished asked = verb({"status", "--json"});
    if (asked.code != 0) return std::size_t{0};
    std::size_t count = 0;
    const auto status = boost::json::parse(asked.out);
    for (const auto& worker : status.at("workers").as_array())
      count += worker.at("state") == "ready";
    return count;
  };
  REQUIRE(eventually([&] { return ready() == 2; }, 20s));
  CHECK(verb({"restart"}).code == 0);
  CHECK(verb({"scale", "+1"}).code == 0);
  CHECK(ready() == 3);
  // It is ready when it runs, which is before it has its trap.
  const auto has_trap = [&] {
    return read_file(dir.path("out")).find("here 2") != std::string::npos;
  };
  CHECK(eventually(has_trap, 20s));
  CHECK(verb({"stop"}).code == 0);
  CHECK(master.wait(10s) == 0);
  const std::string out = read_file(dir.path("out"));
  for (const char* line : {"left 0", "left 1", "left 2"}) {
    CHECK(out.find(line) != std::string::npos);
  }
}

}  // namespace clusterd::test
