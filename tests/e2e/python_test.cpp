// The library for Python and the program that uses it, as workers and alone.
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/load.h"
#include "tests/support/node.h"
#include "tests/support/told.h"

#include <boost/json/string.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

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

/// `words` are between Python and its program.
ClusterOptions hello(const std::string& policy, const std::string& asked,
                     const std::string& configured, const std::vector<std::string>& words = {}) {
  ClusterOptions options{.policy = policy,
                         .command = {"python3", "-B"},
                         .worker_keys = "protocol = \"node\"\ndrain_timeout = \"60s\"\n",
                         .address = configured};
  options.command.insert(options.command.end(), words.begin(), words.end());
  options.command.push_back(example("python/hello.py"));
  options.command.push_back(asked);
  return options;
}

ClusterOptions hello(const std::string& policy, std::uint16_t port) {
  const std::string address = "127.0.0.1:" + std::to_string(port);
  return hello(policy, address, address);
}

bool replaced(const Cluster& cluster, const std::vector<pid_t>& gone) {
  const auto others = [&] {
    return cluster.replaced(gone, 2) && std::none_of(gone.begin(), gone.end(), alive);
  };
  return eventually(others, 60s);
}

/// Waits for so many more answers.
void serve(const Load& load, std::uint64_t more) {
  const std::uint64_t until = load.done() + more;
  CHECK(eventually([&] { return load.done() >= until; }, 60s));
}

constexpr unsigned kClients = 16;
constexpr const char* kPolicies[] = {"round-robin", "accept-race"};

}  // namespace

TEST_CASE("the Python example serves, sends messages and leaves, in both policies") {
  if (under_other_primary()) return;
  for (const char* policy : kPolicies) {
    CAPTURE(policy);
    const std::uint16_t port = free_port();
    Cluster cluster(hello(policy, port));
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

TEST_CASE("the Python example is served through a crash, a leave and a reload") {
  if (under_other_primary()) return;
  for (const char* policy : kPolicies) {
    CAPTURE(policy);
    Cluster cluster(hello(policy, "127.0.0.1:0", "127.0.0.1:0", {node_app("with_id.py")}));
    {
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
    Load load(cluster.port(), {.clients = kClients, .patience = 30s});
    serve(load, 100);
    const pid_t old = cluster.workers().at(1);
    CHECK(cluster.verb({"recycle", "1"}).code == 0);
    CHECK(replaced(cluster, {old}));
    const auto all = cluster.workers();
    CHECK(cluster.verb({"reload"}).code == 0);
    CHECK(replaced(cluster, all));
    serve(load, 100);
    const LoadReport report = load.stop();
    CAPTURE(report.text());
    CHECK(report.sound());
    CHECK(report.lost() == 0);
    CHECK(cluster.verb({"stop"}).code == 0);
    CHECK(cluster.log().find("sending TERM") == std::string::npos);
  }
}

TEST_CASE("a Python worker asks for a name by its number") {
  if (under_other_primary()) return;
  for (const char* policy : kPolicies) {
    CAPTURE(policy);
    const std::string port = std::to_string(free_port());
    Cluster cluster(hello(policy, "localhost:" + port, "127.0.0.1:" + port));
    for (int i = 0; i < 4; ++i) CHECK(get(cluster.port()).ok());
    CHECK(cluster.status()->at("listeners").as_array().size() == 1);
    CHECK(cluster.verb({"stop"}).code == 0);
  }
}

TEST_CASE("Python workers share Unix sockets, with a file and without") {
  if (under_other_primary()) return;
  const TempDir dir;
  const std::string question = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
  const std::string name = dir.path("a.sock");
  const boost::json::value file = boost::json::string(name);
  const boost::json::value abstract = boost::json::string(std::string(1, '\0') + name);
  for (const char* policy : kPolicies) {
    CAPTURE(policy);
    for (const bool with_file : {true, false}) {
      CAPTURE(with_file);
      Cluster cluster(hello(policy, (with_file ? "unix:" : "unix:@") + name, "127.0.0.1:0"));
      for (int i = 0; i < 4; ++i) {
        CHECK(pid_in(read_from(with_file ? file : abstract, question)) != 0);
      }
      CHECK(cluster.verb({"stop"}).code == 0);
      CHECK_FALSE(std::filesystem::exists(name));
    }
  }
}

TEST_CASE("a Python worker whose handler raises is replaced first, and finishes what it has") {
  if (under_other_primary()) return;
  for (const char* policy : kPolicies) {
    CAPTURE(policy);
    ClusterOptions options = hello(policy, "", "127.0.0.1:0");
    options.command = {"python3", "-B", node_app("raises.py"), example("python"), "127.0.0.1:0"};
    Cluster cluster(options);
    Client slow(cluster.port());
    slow.ask(true, "/raise");  // is answered some time after the handler has raised
    const Reply reply = slow.read_to_end(20s);
    CHECK(reply.ok());
    const auto pid = static_cast<pid_t>(pid_in(reply.body));
    CHECK(replaced(cluster, {pid}));
    CHECK(told_first(cluster, "exit", {{"pid", pid}}).at("code") == 1);
    CHECK(told(cluster, "suicide").size() == 1);
    CHECK(fewest_ready(cluster) >= 1);
    CHECK(cluster.log().find("ZeroDivisionError") != std::string::npos);
    CHECK(cluster.log().find("sending TERM") == std::string::npos);
    CHECK(get(cluster.port()).ok());
    CHECK(cluster.verb({"stop"}).code == 0);
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
  CHECK(get(port, 10s, "/tell").ok());
  CHECK(eventually([&] { return get(port).body.ends_with("greetings: 1\n"); }, 10s));
}

TEST_CASE("the Python library alone ends in order too when a handler raises") {
  const TempDir dir;
  const std::string path = dir.path("a.sock");
  Program raises({"python3", "-B", node_app("raises.py"), example("python"), "unix:" + path},
                 dir.path("out"), dir.path("err"));
  REQUIRE(eventually([&] { return std::filesystem::exists(path); }, 10s));
  const boost::json::value file = boost::json::string(path);
  std::string answer;
  CHECK(eventually([&] { return !(answer = read_from(file, "GET /raise")).empty(); }, 10s));
  CHECK(pid_in(answer) == raises.pid());
  CHECK(raises.wait(20s) == 1);
  CHECK_FALSE(std::filesystem::exists(path));
}
