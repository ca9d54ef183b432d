// In how many ways a Node program listens: each of them goes through the primary, which has to do
// what the kernel would have done for a program alone.
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/local_server.h"
#include "tests/support/node.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <netinet/in.h>
#include <set>
#include <string>
#include <sys/socket.h>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

bool has_ipv6() {
  const clusterd::UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

/// The workers that answer at the server's address, by `count` connections.
std::map<std::string, int> answers(const NodeApp& app, std::int64_t server, int count) {
  std::map<std::string, int> by_worker;
  for (int i = 0; i < count; ++i) {
    const std::string text = read_from(app.address(server));
    CAPTURE(text);
    REQUIRE(text.starts_with(std::to_string(server) + " "));
    ++by_worker[text.substr(text.find(' ') + 1)];
  }
  return by_worker;
}

void check_served(const NodeApp& app, const NodeSetting& setting, std::int64_t server) {
  CAPTURE(server);
  const auto by_worker = answers(app, server, 10);
  if (setting.round_robin()) CHECK(by_worker.size() == 2);
  for (const auto& [pid, count] : by_worker) CHECK(alive(static_cast<pid_t>(std::stol(pid))));
}

}  // namespace

TEST_CASE("Node workers share TCP servers on any port and any address") {
  std::string servers = R"([{"port": 0}, {"port": 0, "host": "127.0.0.1"},
      {"port": 0, "host": "localhost"}, {"port": 0, "host": "0.0.0.0", "backlog": 16})";
  servers += has_ipv6() ? R"(, {"port": 0, "host": "::1", "ipv6Only": true}])" : "]";
  const unsigned count = has_ipv6() ? 5 : 4;
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "listens.js", .options = servers, .servers = count});
    std::set<std::int64_t> ports;
    for (std::int64_t server = 0; server < count; ++server) {
      check_served(app, setting, server);
      ports.insert(app.port(server));
    }
    CHECK(ports.size() == count);  // each has one of its own, and the workers have the same
    for (const auto& line : app.said("listening")) {
      CHECK(line.at("address") == app.address(line.at("server").as_int64()));
    }
    CHECK(app.stop());
  }
}

TEST_CASE("Node workers share Unix sockets") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    const TempDir dir;
    const std::string servers = R"([{"path": ")" + dir.path("a.sock") + R"("}, {"path": ")" +
                                dir.path("all.sock") +
                                R"(", "readableAll": true, "writableAll": true}])";
    NodeApp app(setting, {.app = "listens.js", .options = servers, .servers = 2});
    for (const std::int64_t server : {0, 1}) check_served(app, setting, server);
    for (const auto& line : app.said("listening")) {
      if (line.at("server") == 1) CHECK((line.at("mode").as_int64() & 0666) == 0666);
    }
    CHECK(app.stop());
    // A primary that a signal ended leaves them lying.
    if (app.by_clusterd()) CHECK(!std::filesystem::exists(dir.path("a.sock")));
  }
}

TEST_CASE("Node workers share an abstract Unix socket") {
  // Node's own primary listens elsewhere: with the worker's folder before the name.
  if (under_other_primary()) return;
  const TempDir dir;
  const std::string servers = R"([{"path": "@)" + dir.path("abstract") + R"("}])";
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "listens.js", .options = servers});
    check_served(app, setting, 0);
    CHECK(app.stop());
  }
}

TEST_CASE("a Node worker's Unix path is one from its own folder") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    const TempDir dir;
    NodeApp app(setting, {.app = "listens.js",
                          .options = R"([{"path": "near.sock", "cwd": ")" + dir.path() + R"("}])"});
    CHECK(app.address() == "near.sock");
    const std::string text = read_from(boost::json::string(dir.path("near.sock")));
    CHECK(text.starts_with("0 "));
    CHECK(app.stop());
  }
}

TEST_CASE("a Node worker hears why it cannot listen, and lives") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    const LocalServer taken;
    const std::string port = std::to_string(free_port());
    const std::string servers = R"([{"port": )" + port + R"(, "host": "127.0.0.1"},
        {"port": )" + port + R"(, "host": "127.0.0.1", "after": 0},
        {"port": 0, "host": "192.0.2.1"}, {"path": "/no/such/folder/a.sock"}, {"port": )" +
                                std::to_string(taken.port) + R"(, "host": "127.0.0.1"}])";
    NodeApp app(setting, {.app = "listens.js", .options = servers});
    for (const auto& line : app.await("error", 8)) {
      static const std::map<std::int64_t, std::set<std::string>> codes = {
          {1, {"EADDRINUSE"}},
          {2, {"EADDRNOTAVAIL"}},
          {3, {"ENOENT", "EACCES"}},  // Node's own primary says EACCES for what libuv finds
          {4, {"EADDRINUSE"}}};
      CAPTURE(boost::json::serialize(line));
      CHECK(codes.at(line.at("server").as_int64()).contains(line.at("code").as_string().c_str()));
    }
    check_served(app, setting, 0);
  }
}

TEST_CASE("exclusive servers of Node workers are each worker's own") {
  // A worker with nothing else has to say itself that it is ready: of these nobody hears.
  const std::string servers =
      R"([{"port": 0, "host": "127.0.0.1"}, {"port": 0, "host": "127.0.0.1", "exclusive": true}])";
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "listens.js",
                          .options = servers,
                          .servers = 2,
                          .worker_keys = "kill_timeout = \"500ms\"\n"});  // they stay open
    std::set<std::int64_t> ports;
    for (const auto& line : app.said("listening")) {
      if (line.at("server") == 0) continue;
      ports.insert(line.at("address").at("port").as_int64());
      const std::string pid = std::to_string(line.at("pid").as_int64());
      CHECK(read_from(line.at("address")) == "1 " + pid + "\n");
    }
    CHECK(ports.size() == 2);
    CHECK(app.stop());
  }
}

TEST_CASE("a Node server closes and listens again in the same worker") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    const std::uint16_t port = free_port();
    NodeApp app(setting,
                {.app = "routes.js", .options = R"({"port": )" + std::to_string(port) + "}"});
    const auto before = app.pids();
    for (int round = 1; round <= 3; ++round) {
      for (const pid_t pid : before) {
        const auto tell = [&] {
          const Reply reply = get(port, 10s, "/1");
          return !reply.ok() || pid_in(reply.body) == pid;
        };
        REQUIRE(eventually(tell, 20s));  // it answers
      }
      REQUIRE(get(port, 10s, "/1?reopen").ok());
      app.await("listening", 2 + static_cast<std::size_t>(round));
    }
    CHECK(app.pids() == before);
    CHECK(app.said("error").empty());
    CHECK(app.stop());
  }
}

TEST_CASE("a Node worker that asks for the address of a listener gets that listener") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    const std::uint16_t port = free_port();
    const std::string address = "127.0.0.1:" + std::to_string(port);
    for (const std::string& listen :
         {R"([{"port": )" + std::to_string(port) + R"(, "host": "127.0.0.1"}])",
          std::string(R"([{"fd": 3}])")}) {
      CAPTURE(listen);
      Cluster* cluster = nullptr;
      NodeApp app(setting, {.app = "listens.js", .options = listen, .address = address});
      if (!app.by_clusterd()) break;
      cluster = &app.cluster();
      for (int i = 0; i < 10; ++i) {
        boost::json::object to = {{"family", "IPv4"}, {"port", port}};
        CHECK(read_from(to).starts_with("0 "));
      }
      if (setting.round_robin()) CHECK(cluster->counts()->accepted == 10);
      CHECK(app.stop());
    }
  }
}

TEST_CASE("a Node worker that names a port alone gets the listener on all addresses") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    const std::uint16_t port = free_port();
    NodeApp app(setting, {.app = "listens.js",
                          .options = R"([{"port": )" + std::to_string(port) + "}]",
                          .address = "0.0.0.0:" + std::to_string(port)});
    if (!app.by_clusterd()) continue;
    for (int i = 0; i < 10; ++i) {
      CHECK(read_from(boost::json::object{{"family", "IPv4"}, {"port", port}}).starts_with("0 "));
    }
    if (setting.round_robin()) CHECK(app.cluster().counts()->accepted == 10);
    CHECK(app.stop());
  }
}

TEST_CASE("what a Node program listens on in no [[listen]] goes by NODE_CLUSTER_SCHED_POLICY") {
  if (under_other_primary()) return;
  struct Said {
    const char* by_us;   ///< in the master's environment
    const char* by_env;  ///< in that of its workers, by app.conf
    const char* by_key;  ///< [worker] policy
    const char* policy;
  };
  static constexpr Said kSaid[] = {
      {"", "", "", "round-robin"},
      {"none", "", "", "accept-race"},
      {"rr", "none", "", "accept-race"},
      {"none", "rr", "", "round-robin"},
      {"none", "none", "round-robin", "round-robin"},
      {"rr", "rr", "accept-race", "accept-race"},
  };
  for (const Said& said : kSaid) {
    CAPTURE(said.by_us);
    CAPTURE(said.by_env);
    CAPTURE(said.by_key);
    const TempDir dir;
    const std::string port = std::to_string(free_port());
    const std::string name = "NODE_CLUSTER_SCHED_POLICY";
    ClusterOptions options{.command = {node_program(), node_app("routes.js"), dir.path("said"),
                                       in_quotes(R"({"port": )" + port + "}")}};
    const std::string env = said.by_env;
    const std::string key = said.by_key;
    if (!env.empty()) options.worker_keys += "env = { " + name + " = \"" + env + "\" }\n";
    if (!key.empty()) options.worker_keys += "policy = \"" + key + "\"\n";
    options.under = {"env", name + "=" + said.by_us};
    Cluster cluster(options);
    CHECK(get(static_cast<std::uint16_t>(std::stoul(port))).ok());
    const auto status = cluster.status();
    bool found = false;
    for (const auto& listener : status->at("listeners").as_array()) {
      if (listener.at("address").as_string() != "127.0.0.1:" + port) continue;
      found = true;
      CHECK(listener.at("policy") == said.policy);
    }
    CHECK(found);
    CHECK(cluster.verb({"stop"}).code == 0);
  }
}
