// Whole programs as workers: under load while one crashes, leaves or is replaced; the examples; an
// application of Egg; and the worker of the course from which this project began.
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

/// Egg's own worker with our application; the flags are Node's.
ClusterOptions egg_app(const NodeSetting& setting, std::uint16_t port, const std::string& run,
                       const std::vector<std::string>& flags = {}) {
  const std::string options = R"({"framework": ")" + node_modules() + R"(/egg", "baseDir": ")" +
                              node_app("../egg-app") + R"(", "workers": 2, "port": )" +
                              std::to_string(port) + "}";
  std::vector<std::string> command = {setting.node};
  command.insert(command.end(), flags.begin(), flags.end());
  command.push_back(node_modules() + "/egg-cluster/lib/app_worker.js");
  command.push_back(in_quotes(options));
  return {.policy = setting.policy,
          .command = command,
          .worker_keys =
              "env = { EGG_SERVER_ENV = \"prod\", EGG_APP_RUN = \"" + run + "\" }\n" + kPatient,
          .address = "127.0.0.1:" + std::to_string(port)};
}

/// A program that gets its listener from the master, and whose answers have the ids of requests.
ClusterOptions with_id(const NodeSetting& setting, const std::string& program,
                       const std::string& keys = "", const std::vector<std::string>& words = {}) {
  ClusterOptions options{.policy = setting.policy,
                         .command = {setting.node, "-r", node_app("with_id.js"), program},
                         .worker_keys = keys + kPatient};
  for (const std::string& word : words) options.command.push_back(in_quotes(word));
  return options;
}

/// Waits until those are gone and as many others are there.
bool replaced(const Cluster& cluster, const std::vector<pid_t>& gone) {
  const auto others = [&] {
    return cluster.replaced(gone, 2) && std::none_of(gone.begin(), gone.end(), alive);
  };
  return eventually(others, 60s);
}

void check_crash(Cluster& cluster) {
  Load load(cluster.port(), {.clients = kClients, .patience = 30s});
  serve(load, 100);
  const pid_t victim = cluster.workers().at(0);
  ::kill(victim, SIGKILL);
  CHECK(replaced(cluster, {victim}));
  serve(load, 100);
  const LoadReport report = load.stop();
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(report.count(Outcome::Kind::refused) == 0);
  CHECK(report.count(Outcome::Kind::unanswered) == 0);
  CHECK(report.lost() <= kClients);  // what it had begun
}

/// One is recycled, and all are reloaded.
LoadReport leave_and_reload(Cluster& cluster) {
  Load load(cluster.port(), {.clients = kClients, .patience = 30s});
  serve(load, 100);
  const pid_t old = cluster.workers().at(1);
  CHECK(cluster.verb({"recycle", "1"}).code == 0);
  CHECK(replaced(cluster, {old}));
  serve(load, 100);
  const auto all = cluster.workers();
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK(replaced(cluster, all));
  serve(load, 100);
  return load.stop();
}

/// Who is told to leave does, without that signal.
void check_under_load(const ClusterOptions& options, const std::string& without = "TERM") {
  Cluster cluster(options);
  check_crash(cluster);
  check_nothing_lost(leave_and_reload(cluster));
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(cluster.log().find("sending " + without) == std::string::npos);
}

constexpr const char* kFork = "protocol = \"node-fork\"\n";

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
    const pid_t old = app.cluster().workers().at(0);
    CHECK(app.cluster().verb({"recycle", "0"}).code == 0);
    CHECK(eventually([&] { return !alive(old) && app.whole(2); }, 30s));
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

TEST_CASE("Express is served through a crash, a leave and a reload") {
  if (under_other_primary()) return;
  const TempDir dir;
  const std::string modules = R"({"modules": ")" + node_modules() + R"("})";
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    check_under_load(with_id(setting, node_app("express.js"), "", {dir.path("said"), modules}));
  }
}

TEST_CASE("the Node examples are served through a crash, a leave and a reload") {
  if (under_other_primary()) return;
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    check_under_load(with_id(setting, example("node/cluster.js"), "env = { PORT = \"0\" }\n"));
    check_under_load(with_id(setting, example("node/plain.js"), kFork));
  }
}

TEST_CASE("plain children of Node are served through a crash, a leave and a reload") {
  if (under_other_primary()) return;
  const TempDir dir;
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    check_under_load(with_id(setting, node_app("fork_worker.js"), kFork, {dir.path("said")}));
  }
}

TEST_CASE("an Egg application is served through a crash, a leave and a reload") {
  if (under_other_primary()) return;
  for (const char* policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    const TempDir run;
    check_under_load(
        egg_app({node_program(), policy}, free_port(), run.path(), {"-r", node_app("with_id.js")}),
        "KILL");
  }
}

TEST_CASE(
    "the worker of the course is replaced when it says so, and by force when asked to leave") {
  if (under_other_primary()) return;
  // It knows "server" alone, and nobody can tell it to leave: TERM does.
  const NodeSetting setting{node_program(), "accept-race"};
  ClusterOptions options = with_id(setting, node_app("seed_worker.js"), kFork);
  options.worker_keys = std::string(kFork) + "drain_timeout = \"500ms\"\n";
  Cluster cluster(options);
  check_crash(cluster);

  Load load(cluster.port(), {.clients = kClients, .patience = 30s});
  for (int times = 0; times < 3; ++times) {
    serve(load, 100);
    const Reply last = get(cluster.port(), 10s, "/throw");
    CHECK(last.ok());
    CHECK(replaced(cluster, {static_cast<pid_t>(pid_in(last.body))}));
  }
  check_nothing_lost(load.stop());

  const LoadReport report = leave_and_reload(cluster);
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(report.count(Outcome::Kind::refused) == 0);
  CHECK(report.count(Outcome::Kind::unanswered) == 0);
  CHECK(report.lost() <= 3 * kClients);  // what each of the three had begun
  CHECK(cluster.verb({"stop"}).code == 0);
}

TEST_CASE("the Node example without the cluster module closes what is idle when it leaves") {
  if (under_other_primary()) return;
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    // Less than the 5 s after which Node closes an idle connection by itself.
    Cluster cluster({.policy = setting.policy,
                     .command = {setting.node, example("node/plain.js")},
                     .worker_keys = std::string(kFork) + "drain_timeout = \"3s\"\n"});
    Client kept(cluster.port());
    for (int times = 0; times < 2; ++times) {
      kept.ask(false);
      CHECK(kept.read_one(10s).ok());
    }
    CHECK(cluster.verb({"stop"}).code == 0);
    CHECK(kept.read_to_end(10s).kind == Reply::Kind::eof);
    CHECK(cluster.log().find("sending TERM") == std::string::npos);
  }
}

TEST_CASE("the Node example without the cluster module is replaced when something is wrong in it") {
  if (under_other_primary()) return;
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    Cluster cluster(with_id(setting, example("node/plain.js"), kFork));
    Load load(cluster.port(), {.clients = kClients, .patience = 30s});
    serve(load, 100);
    const Reply last = get(cluster.port(), 10s, "/throw");
    CHECK(last.ok());
    CHECK(replaced(cluster, {static_cast<pid_t>(pid_in(last.body))}));
    serve(load, 100);
    check_nothing_lost(load.stop());
    CHECK(cluster.verb({"stop"}).code == 0);
    CHECK(cluster.log().find("sending TERM") == std::string::npos);
  }
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
    Cluster cluster(egg_app({node_program(), policy}, port, run.path()));
    const auto body = [&] { return get(port).body; };
    CHECK(eventually([&] { return body().find("\"ready\":1") != std::string::npos; }, 20s));
    CHECK(get(port, 10s, "/tell?to=app&word=hello").ok());
    for (int heard = 0; heard < 10; ++heard) {
      CHECK(eventually([&] { return body().find("\"hello\"") != std::string::npos; }, 20s));
    }
    CHECK(cluster.verb({"reopen"}).code == 0);
    CHECK(eventually([&] { return body().find("\"log-reload\"") != std::string::npos; }, 20s));
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
    // Its workers close their channel when they have finished, and wait for TERM.
    CHECK(cluster.log().find("sending TERM, since it closed its channel") != std::string::npos);
    CHECK(cluster.log().find("sending KILL") == std::string::npos);
  }
}
