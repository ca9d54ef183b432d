// Whole programs as workers: under load while one crashes, leaves or is replaced; the examples; and
// an application of Egg.
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/load.h"
#include "tests/support/node.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <string>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

constexpr unsigned kClients = 16;
constexpr const char* kPatient = "drain_timeout = \"60s\"\n";

/// Waits for so many more answers.
void serve(const Load& load, std::uint64_t more) {
  const std::uint64_t until = load.done() + more;
  CHECK(eventually([&] { return load.done() >= until; }, 60s));
}

void check_nothing_lost(const LoadReport& report) {
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(report.lost() == 0);
}

/// Asks until each of `workers` has answered; gives who that was.
std::set<long> who_serves(std::uint16_t port, std::size_t workers) {
  std::set<long> seen;
  const auto all_seen = [&] {
    const Reply reply = get(port);
    CHECK(reply.ok());
    seen.insert(pid_in(reply.body));
    return !reply.ok() || seen.size() >= workers;
  };
  CHECK(eventually(all_seen, 20s));
  return seen;
}

ClusterOptions python_hello(const std::string& policy, std::uint16_t port) {
  const std::string address = "127.0.0.1:" + std::to_string(port);
  return {.policy = policy,
          .command = {"python3", "-B", example("python/hello.py"), address},
          .worker_keys = std::string("protocol = \"node\"\n") + kPatient,
          .address = address};
}

ClusterOptions egg_app(const std::string& policy, std::uint16_t port, const std::string& run) {
  const std::string options = R"({"framework": ")" + node_modules() + R"(/egg", "baseDir": ")" +
                              node_app("../egg-app") + R"(", "workers": 2, "port": )" +
                              std::to_string(port) + "}";
  return {.policy = policy,
          .command = {node_program(), node_modules() + "/egg-cluster/lib/app_worker.js",
                      in_quotes(options)},
          .worker_keys =
              "env = { EGG_SERVER_ENV = \"prod\", EGG_APP_RUN = \"" + run + "\" }\n" + kPatient,
          .address = "127.0.0.1:" + std::to_string(port)};
}

}  // namespace

TEST_CASE("no request is lost while Node workers leave and are reloaded") {
  if (under_other_primary()) return;  // which starts no others for those that leave
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js", .worker_keys = kPatient});
    Load load(app.port(), {.clients = kClients, .patience = 30s});
    serve(load, 100);
    for (std::size_t times = 1; times <= 3; ++times) {
      CHECK(get(app.port(), 10s, "/1?disconnect").ok());
      serve(load, 100);
      CHECK(eventually([&] { return app.said("exit").size() == times && app.whole(2); }, 30s));
    }
    for (int times = 0; times < 2; ++times) {
      const auto before = app.pids();
      CHECK(app.cluster().verb({"reload"}).code == 0);
      serve(load, 100);
      const auto replaced = [&] {
        return app.whole(2) && std::none_of(before.begin(), before.end(), alive);
      };
      CHECK(eventually(replaced, 30s));
    }
    check_nothing_lost(load.stop());
    CHECK(app.stop());
  }
}

TEST_CASE("a Node worker that is killed takes only what it had begun with it") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js", .workers = 3});
    Load load(app.port(), {.clients = kClients, .patience = 30s});
    constexpr unsigned kKilled = 3;
    for (unsigned times = 0; times < kKilled; ++times) {
      serve(load, 100);
      const pid_t victim = app.pids().at(0);
      ::kill(victim, SIGKILL);
      CHECK(eventually([&] { return app.whole(3, victim); }, 30s));
    }
    serve(load, 100);
    const LoadReport report = load.stop();
    CAPTURE(report.text());
    CHECK(report.sound());
    CHECK(report.count(Outcome::Kind::refused) == 0);
    if (app.by_clusterd()) CHECK(report.count(Outcome::Kind::unanswered) == 0);
    CHECK(report.lost() <= kKilled * kClients);
    CHECK(app.stop());
  }
}

TEST_CASE("the Python example serves, sends messages and leaves, in both policies") {
  if (under_other_primary()) return;
  for (const char* policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    const std::uint16_t port = free_port();
    Cluster cluster(python_hello(policy, port));
    const auto workers = cluster.workers();
    REQUIRE(workers.size() == 2);
    const std::string round_robin = "round-robin";
    const auto seen = who_serves(port, policy == round_robin ? 2 : 1);
    for (const long pid : seen) CHECK(std::count(workers.begin(), workers.end(), pid) == 1);
    CHECK(get(port, 10s, "/tell").ok());
    // The messages come to all.
    for (std::size_t heard = 0; heard < 10;) {
      const Reply reply = get(port);
      REQUIRE(reply.ok());
      heard += reply.body.ends_with("greetings: 1\n");
    }
    CHECK(cluster.verb({"reload"}).code == 0);
    CHECK(eventually([&] { return cluster.running(2); }, 20s));
    CHECK(get(port).ok());
    CHECK(cluster.verb({"stop"}).code == 0);
    CHECK(cluster.log().find("sending TERM") == std::string::npos);
  }
}

TEST_CASE("the Python example is replaced when it is killed, and loses nothing when it leaves") {
  if (under_other_primary()) return;
  for (const char* policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    const std::uint16_t port = free_port();
    Cluster cluster(python_hello(policy, port));
    const pid_t dead = cluster.workers().at(0);
    ::kill(dead, SIGKILL);
    const auto replaced = [&] {
      const auto workers = cluster.workers();
      return workers.size() == 2 && std::count(workers.begin(), workers.end(), dead) == 0;
    };
    CHECK(eventually(replaced, 20s));
    for (int i = 0; i < 20; ++i) CHECK(get(port).ok());
  }
}

TEST_CASE("the Python example binds for itself without clusterd") {
  const TempDir dir;
  Program hello({"python3", "-B", example("python/hello.py"), "127.0.0.1:0"}, dir.path("out"),
                dir.path("err"));
  std::string line;
  REQUIRE(eventually([&] { return (line = read_file(dir.path("out"))).ends_with("\n"); }, 10s));
  const auto port = static_cast<std::uint16_t>(std::stoul(line.substr(line.rfind(':') + 1)));
  CHECK(pid_in(get(port).body) == hello.pid());
  CHECK(get(port, 10s, "/tell").body.ends_with("greetings: 1\n"));
}

TEST_CASE("the Node examples serve") {
  if (under_other_primary()) return;
  const std::uint16_t port = free_port();
  const std::string address = "127.0.0.1:" + std::to_string(port);
  for (const NodeSetting& setting : node_settings()) {
    for (const bool plain : {false, true}) {
      CAPTURE(setting.text());
      CAPTURE(plain);
      Cluster cluster(
          {.policy = setting.policy,
           .command = {setting.node, example(plain ? "node/plain.js" : "node/cluster.js")},
           .worker_keys = std::string(plain ? "protocol = \"node-fork\"\n" : "") +
                          "env = { PORT = \"" + std::to_string(port) + "\" }\n" + kPatient,
           .address = address});
      (void)who_serves(port, setting.round_robin() ? 2 : 1);
      CHECK(cluster.verb({"reload"}).code == 0);
      CHECK(get(port).ok());
      CHECK(cluster.verb({"stop"}).code == 0);
      CHECK(cluster.log().find("sending TERM") == std::string::npos);
    }
  }
}

TEST_CASE("what the examples' app.conf say is right") {
  for (const char* conf : {"node/cluster.conf", "node/plain.conf", "python/app.conf"}) {
    CAPTURE(conf);
    const Finished check = run({clusterd_program(), "check", example(conf)});
    CAPTURE(check.err);
    CHECK(check.code == 0);
  }
}

TEST_CASE("an Egg application serves, hears that all are ready, and its workers talk") {
  if (under_other_primary()) return;
  for (const char* policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    const TempDir run;
    const std::uint16_t port = free_port();
    Cluster cluster(egg_app(policy, port, run.path()));
    const auto body = [&] { return get(port).body; };
    CHECK(eventually([&] { return body().find("\"ready\":1") != std::string::npos; }, 20s));
    CHECK(get(port, 10s, "/tell?to=app&word=hello").ok());
    for (int heard = 0; heard < 10; ++heard) {
      CHECK(eventually([&] { return body().find("\"hello\"") != std::string::npos; }, 20s));
    }
    // To one: it alone hears it.
    const pid_t one = cluster.workers().at(1);
    CHECK(get(port, 10s, "/tell?word=secret&to=" + std::to_string(one)).ok());
    const auto heard_by_one = [&] {
      const std::string text = body();
      return pid_in(text) == one && text.find("\"secret\"") != std::string::npos;
    };
    CHECK(eventually(heard_by_one, 20s));
    const std::string text = body();
    if (pid_in(text) != one) CHECK(text.find("\"secret\"") == std::string::npos);
    CHECK(cluster.verb({"reload"}).code == 0);
    CHECK(get(port).ok());
    CHECK(cluster.verb({"stop"}).code == 0);
    CHECK(cluster.log().find("sending TERM") == std::string::npos);
  }
}
