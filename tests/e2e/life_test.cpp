// From start to stop: order, signals, exit codes, and what is left behind (nothing).
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <regex>
#include <sched.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

bool all_gone(const std::vector<pid_t>& pids) {
  return std::none_of(pids.begin(), pids.end(), [](pid_t pid) { return alive(pid); });
}

void check_nothing_is_left(Cluster& cluster, const std::vector<pid_t>& children) {
  CHECK(all_gone(children));
  CHECK_FALSE(std::filesystem::exists(cluster.control()));
}

Finished start_with(const TempDir& dir, const std::string& conf) {
  return run({clusterd_program(), "start", dir.write("bad.conf", conf)});
}

}  // namespace

TEST_CASE("the agent is ready before any worker is forked") {
  Cluster cluster({.workers = 2});
  const std::string log = cluster.log();
  const std::size_t agent_ready = log.find("agent 1 (pid " + std::to_string(cluster.agent()));
  CHECK(agent_ready != std::string::npos);
  CHECK(log.find("agent 1", log.find("ready in") - 40) < log.find("worker 1"));
  CHECK(log.find("ready in") < log.find("forked", log.find("worker 1")));
  const std::string title = read_file("/proc/" + std::to_string(cluster.agent()) + "/cmdline");
  CHECK(title.starts_with("clusterd: agent of test"));
}

TEST_CASE("status shows the documented schema, and a table") {
  Cluster cluster({.workers = 2});
  const auto status = cluster.status();
  REQUIRE(status);
  const auto& top = status->as_object();
  CHECK(top.at("name") == "test");
  CHECK(top.at("state") == "running");
  CHECK(top.at("generation") == 1);
  CHECK(top.at("master").at("pid") == cluster.master().pid());
  CHECK(top.at("master").at("version").is_string());
  CHECK(top.at("agent").at("state") == "ready");
  const auto& listener = top.at("listeners").as_array().at(0);
  CHECK(listener.at("name") == "http");
  CHECK(listener.at("policy") == "round-robin");
  CHECK(listener.at("accepted") == 0);
  CHECK(listener.at("waiting") == 0);
  CHECK(top.at("workers").as_array().size() == 2);
  for (const char* key : {"slot", "id", "pid", "generation", "state", "active", "taken", "pending",
                          "requests", "restarts", "uptime_s", "drain"}) {
    CHECK(top.at("workers").as_array().at(0).as_object().contains(key));
  }
  for (const char* key : {"slot", "state", "retry_in_s", "last_exit"}) {
    CHECK(top.at("slots").as_array().at(0).as_object().contains(key));
  }
  for (const char* key : {"total", "in_window", "limit", "given_up"}) {
    CHECK(top.at("restarts").as_object().contains(key));
  }
  const Finished table = cluster.verb({"status"});
  CHECK(table.code == 0);
  CHECK(table.out.starts_with("test: running, 2 of 2 workers ready"));
  CHECK(table.out.find('\x1b') == std::string::npos);
}

TEST_CASE("the requests that a worker counts are in the status") {
  Cluster cluster({.workers = 1});
  for (int i = 0; i < 7; ++i) REQUIRE(get(cluster.port()).ok());
  const auto status = cluster.status();
  REQUIRE(status);
  const auto& worker = status->at("workers").as_array().at(0);
  CHECK(worker.at("requests") == 7);
  CHECK(worker.at("taken") == 7);
  CHECK(worker.at("pending") == 0);
}

TEST_CASE("stop, TERM, INT and QUIT leave no process and no socket") {
  for (const int signal : {0, SIGTERM, SIGINT, SIGQUIT}) {
    CAPTURE(signal);
    Cluster cluster;
    const auto children = children_of(cluster.master().pid());
    CHECK(children.size() == 3);
    if (signal == 0) {
      CHECK(cluster.verb({"stop"}).code == 0);
    } else {
      cluster.master().signal(signal);
    }
    CHECK(cluster.master().wait(20s) == 0);
    check_nothing_is_left(cluster, children);
  }
}

TEST_CASE("a stop lets the workers finish what is open, and closes what is idle") {
  // As long as the machine is slow, and still no longer than what is open.
  Cluster cluster({.worker_keys = "drain_timeout = \"60s\"\n"});
  Client busy(cluster.port());
  Client idle(cluster.port());
  idle.ask(false);
  REQUIRE(idle.read_one(5s).ok());
  // A request that has begun: the head is not whole yet.
  (void)!::write(busy.fd(), "GET / HTTP/1.1\r\n", 16);
  REQUIRE(eventually(
      [&] {
        const auto status = cluster.status();
        std::int64_t active = 0;
        for (const auto& worker : status->at("workers").as_array()) {
          active += worker.at("active").as_int64();
        }
        return active == 2;
      },
      10s));
  cluster.master().signal(SIGTERM);
  CHECK(idle.read_to_end(10s).kind == Reply::Kind::eof);
  CHECK(cluster.master().running());
  (void)!::write(busy.fd(), "Host: test\r\n\r\n", 14);
  CHECK(busy.read_to_end(10s).ok());
  CHECK(cluster.master().wait(20s) == 0);
}

TEST_CASE("a second INT does not wait for the drain") {
  Cluster cluster({.workers = 2,
                   .command = {fixture_worker(), "hold"},
                   .worker_keys = "drain_timeout = \"60s\"\n"});
  Client held(cluster.port());
  REQUIRE(eventually([&] { return cluster.log().size() > 0; }, 10s));
  const auto children = children_of(cluster.master().pid());
  const auto taken = [&] {
    std::int64_t count = 0;
    const auto status = cluster.status();
    for (const auto& worker : status->at("workers").as_array())
      count += worker.at("active").as_int64();
    return count;
  };
  REQUIRE(eventually([&] { return taken() == 1; }, 10s));
  cluster.master().signal(SIGINT);
  REQUIRE(eventually([&] { return cluster.log().find("draining") != std::string::npos; }, 10s));
  CHECK(cluster.master().running());
  cluster.master().signal(SIGINT);
  CHECK(cluster.master().wait(20s) == 0);
  check_nothing_is_left(cluster, children);
}

TEST_CASE("a worker that ignores TERM is killed when its time is over") {
  Cluster cluster({.workers = 1,
                   .command = {fixture_worker(), "ignore-term"},
                   .worker_keys = "drain_timeout = \"100ms\"\nkill_timeout = \"200ms\"\n"});
  const auto children = children_of(cluster.master().pid());
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(cluster.master().wait(20s) == 0);
  CHECK(cluster.log().find("sending KILL") != std::string::npos);
  check_nothing_is_left(cluster, children);
}

TEST_CASE("kill -9 of the master: the workers finish what they hold, and all leave") {
  for (const char* policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    Cluster cluster({.workers = 2, .policy = policy, .command = {fixture_worker(), "serve"}});
    const auto children = children_of(cluster.master().pid());
    Client client(cluster.port());
    const auto taken = [&] {
      std::int64_t count = 0;
      const auto status = cluster.status();
      for (const auto& worker : status->at("workers").as_array()) {
        count += worker.at("active").as_int64();
      }
      return count;
    };
    REQUIRE(eventually([&] { return taken() == 1; }, 10s));
    cluster.master().signal(SIGKILL);
    client.ask();
    CHECK(client.read_to_end(10s).ok());
    CHECK(eventually([&] { return all_gone(children); }, 30s));
  }
}

TEST_CASE("after kill -9 of the master the next start takes the socket over") {
  Cluster cluster;
  cluster.master().signal(SIGKILL);
  CHECK(cluster.master().wait(5s) == 128 + SIGKILL);
  CHECK(std::filesystem::exists(cluster.control()));
  Program again({clusterd_program(), "start", cluster.conf()}, cluster.dir().path("out"),
                cluster.dir().path("err2"));
  CHECK(eventually([&] { return cluster.running(2); }, 15s));
  again.signal(SIGTERM);
  CHECK(again.wait(20s) == 0);
}

TEST_CASE("a worker that dies is replaced, at once and then with a growing delay") {
  Cluster cluster({.workers = 1,
                   .worker_keys = "",
                   .more = "[restart]\nbackoff = { first = \"200ms\", max = \"60s\" }\n"});
  for (int death = 1; death <= 2; ++death) {
    const pid_t before = cluster.workers().front();
    ::kill(before, SIGKILL);
    REQUIRE(eventually(
        [&] {
          const auto now = cluster.workers();
          return now.size() == 1 && now.front() != before;
        },
        10s));
  }
  // 200 ms and up to a quarter more.
  CHECK(std::regex_search(cluster.log(), std::regex("slot 0: next start in 2[0-5][0-9] ms")));
  const auto status = cluster.status();
  CHECK(status->at("workers").as_array().at(0).at("restarts") == 2);
  CHECK(status->at("slots").as_array().at(0).at("last_exit").at("signal") == "KILL");
}

TEST_CASE("an agent that dies is replaced and disturbs nobody") {
  Cluster cluster;
  const auto workers = cluster.workers();
  const pid_t agent = cluster.agent();
  ::kill(agent, SIGKILL);
  CHECK(eventually([&] { return cluster.agent() != 0 && cluster.agent() != agent; }, 10s));
  CHECK(cluster.workers() == workers);
  CHECK(get(cluster.port()).ok());
}

TEST_CASE("a worker that cannot start ends the start, with the reason") {
  Cluster dies({.workers = 1,
                .command = {fixture_worker(), "die-at-start", "7"},
                .wait_until_running = false});
  CHECK(dies.master().wait(20s) == 75);
  CHECK(dies.log().find("exited with code 7") != std::string::npos);
  CHECK(dies.log().find("could not start") != std::string::npos);

  Cluster hangs({.workers = 1,
                 .command = {fixture_worker(), "never-ready"},
                 .worker_keys = "ready_timeout = \"1s\"\n",
                 .wait_until_running = false});
  CHECK(hangs.master().wait(20s) == 75);
  CHECK(hangs.log().find("not ready within ready_timeout") != std::string::npos);
}

TEST_CASE("mistakes in app.conf are one line each, with its number, and exit 78") {
  const TempDir dir;
  const Finished unknown = start_with(
      dir, "workers = 1\n[[listen]]\naddress = \"127.0.0.1:0\"\n[worker]\ncomand = []\n");
  CHECK(unknown.code == 78);
  CHECK(unknown.err.find("bad.conf:5: unknown key \"comand\"") != std::string::npos);
  CHECK(unknown.err.find("\"command\"") != std::string::npos);
  const Finished missing = start_with(
      dir, "[[listen]]\naddress = \"127.0.0.1:0\"\n[worker]\ncommand = [\"./nothing-here\"]\n");
  CHECK(missing.code == 78);
  CHECK(missing.err.find("bad.conf:4: ") != std::string::npos);
  CHECK(missing.err.find("nothing-here") != std::string::npos);
  const Finished check = run({clusterd_program(), "check", dir.path("bad.conf")});
  CHECK(check.code == 78);
  CHECK(check.err == missing.err);
}

TEST_CASE("a port in use exits 71 and says which") {
  Cluster first;
  const TempDir dir;
  const Finished second = start_with(
      dir, "[[listen]]\naddress = \"127.0.0.1:" + std::to_string(first.port()) +
               "\"\n[worker]\ncommand = [\"" + http_worker() + "\"]\n[control]\nsocket = \"c\"\n");
  CHECK(second.code == 71);
  CHECK(second.err.find("127.0.0.1:" + std::to_string(first.port())) != std::string::npos);
  CHECK(get(first.port()).ok());
}

TEST_CASE("a second start of one file is refused with the first one's pid") {
  Cluster cluster;
  const Finished second = run({clusterd_program(), "start", cluster.conf()});
  CHECK(second.code == 71);
  CHECK(second.err.find("pid " + std::to_string(cluster.master().pid())) != std::string::npos);
  CHECK(get(cluster.port()).ok());
}

TEST_CASE("a verb without a master exits 69, a wrong one 64") {
  Cluster cluster;
  REQUIRE(cluster.verb({"stop"}).code == 0);
  CHECK(cluster.verb({"status"}).code == 69);
  CHECK(cluster.verb({"stop"}).code == 69);
  const Finished wrong = run({clusterd_program(), "statsu"});
  CHECK(wrong.code == 64);
  CHECK(wrong.err.find("status") != std::string::npos);
}

TEST_CASE("a worker finds its place in the environment, and only the channel open") {
  const TempDir dir;
  const std::string script =
      dir.write("worker.sh", "#!/bin/sh\nenv > " + dir.path("env") + "\nls /proc/self/fd > " +
                                 dir.path("fds") + "\nexec " + fixture_worker() + " serve\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  ::setenv("NOTIFY_SOCKET", "/nowhere", 1);
  Cluster cluster(
      {.workers = 1, .command = {script}, .worker_keys = "env = { GREETING = \"hello\" }\n"});
  ::unsetenv("NOTIFY_SOCKET");
  const std::string env = read_file(dir.path("env"));
  for (const char* line : {"CLUSTERD_ROLE=worker\n", "CLUSTERD_SLOT=0\n", "CLUSTERD_WORKER_ID=1\n",
                           "CLUSTERD_GENERATION=1\n", "CLUSTERD_NAME=test\n",
                           "CLUSTERD_CHANNEL_FD=3\n", "GREETING=hello\n"}) {
    CAPTURE(line);
    CHECK(env.find(line) != std::string::npos);
  }
  // Its own, not the master's.
  CHECK(env.find("NOTIFY_SOCKET=@") != std::string::npos);
  CHECK(env.find("/nowhere") == std::string::npos);
  // What makes the master fast is not for the workers.
  CHECK(::sched_getscheduler(cluster.workers().front()) == SCHED_OTHER);
  CHECK(::sched_getscheduler(cluster.master().pid()) == SCHED_BATCH);
  // 0 to 2, the channel, and what ls(1) itself has open to read the folder, which is 4.
  CHECK(read_file(dir.path("fds")) == "0\n1\n2\n3\n4\n");
}
