// Node workers at the edges: of what they may ask for, of what a reload changes for them, and of
// the time in which they have to be ready.
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/node.h"

#include <boost/json/array.hpp>
#include <doctest/doctest.h>

#include <csignal>
#include <string>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

const NodeSetting& round_robin() {
  static const NodeSetting setting{node_program(), "round-robin"};
  return setting;
}

/// Options of listens.js: a server on each port.
std::string on_ports(const std::vector<std::uint16_t>& ports) {
  std::string list;
  for (const std::uint16_t port : ports) {
    list += list.empty() ? "[" : ",";
    list += R"({"host":"127.0.0.1","port":)" + std::to_string(port) + "}";
  }
  return list + "]";
}

std::string read_port(std::uint16_t port) {
  return read_from({{"address", "127.0.0.1"}, {"family", "IPv4"}, {"port", std::int64_t{port}}});
}

void edit(const Cluster& cluster, const std::string& what, const std::string& by) {
  std::string conf = read_file(cluster.conf());
  const auto at = conf.find(what);
  REQUIRE(at != std::string::npos);
  cluster.dir().write("app.conf", conf.replace(at, what.size(), by));
}

bool logs(const Cluster& cluster, const std::string& text) {
  return eventually([&] { return cluster.log().find(text) != std::string::npos; }, 20s);
}

}  // namespace

TEST_CASE("a plain child of Node that says ready at once is ready") {
  NodeApp app(round_robin(), {.app = "forks_early.js",
                              .servers = 0,
                              .worker_keys = "protocol = \"node-fork\"\nready = \"message\"\n"});
  if (!app.by_clusterd()) return;
  CHECK(eventually([&] { return app.cluster().running(2); }, 20s));
  CHECK(!read_port(app.cluster().port()).empty());
  CHECK(app.stop());
}

TEST_CASE("a Node worker gets so many addresses and no more, and a reload goes on") {
  constexpr std::size_t kMost = 16;
  std::vector<std::uint16_t> ports;
  while (ports.size() < kMost + 4) ports.push_back(free_port());
  NodeApp app(round_robin(), {.app = "listens.js",
                              .options = on_ports(ports),
                              .workers = 1,
                              .servers = kMost,
                              .address = "127.0.0.1:0"});
  if (!app.by_clusterd()) return;
  for (const auto& error : app.await("error", 4)) CHECK(error.at("code") == "EMFILE");
  CHECK(app.said("listening").size() == kMost);
  edit(app.cluster(), "[worker]",
       "[[listen]]\nname = \"more\"\naddress = \"127.0.0.1:0\"\n\n[worker]");
  const Finished reload = app.cluster().verb({"reload"});
  CHECK_MESSAGE(reload.code == 0, reload.err);
  CHECK(app.stop());
}

TEST_CASE("what Node workers do not listen on any more is closed when a reload has proved that") {
  const std::uint16_t before = free_port();
  const std::uint16_t after = free_port();
  NodeApp app(round_robin(), {.app = "listens.js", .options = on_ports({before})});
  if (!app.by_clusterd()) return;
  CHECK(!read_port(before).empty());
  edit(app.cluster(), in_quotes(on_ports({before})), in_quotes(on_ports({after})));
  const Finished reload = app.cluster().verb({"reload"});
  CHECK_MESSAGE(reload.code == 0, reload.err);
  CHECK(!read_port(after).empty());
  CHECK(eventually([&] { return read_port(before).empty(); }, 20s));
  SUBCASE("and is there again when they do") {
    edit(app.cluster(), in_quotes(on_ports({after})), in_quotes(on_ports({before, after})));
    CHECK(app.cluster().verb({"reload"}).code == 0);
    CHECK(!read_port(before).empty());
    CHECK(!read_port(after).empty());
  }
  CHECK(app.stop());
}

TEST_CASE("an address that Node workers have opened can move into app.conf and out of it") {
  const std::uint16_t port = free_port();
  const std::string any = R"([{"port":)" + std::to_string(port) + "}]";
  NodeApp app(round_robin(), {.app = "listens.js", .options = any});
  if (!app.by_clusterd()) return;
  CHECK(!read_port(port).empty());
  const std::string table =
      "[[listen]]\nname = \"theirs\"\naddress = \"0.0.0.0:" + std::to_string(port) + "\"\n\n";
  for (int turns = 0; turns < 2; ++turns) {
    edit(app.cluster(), "[worker]", table + "[worker]");
    const Finished in = app.cluster().verb({"reload"});
    CHECK_MESSAGE(in.code == 0, in.err);
    CHECK(!read_port(port).empty());
    edit(app.cluster(), table, "");
    const Finished out = app.cluster().verb({"reload"});
    CHECK_MESSAGE(out.code == 0, out.err);
    CHECK(!read_port(port).empty());
  }
  CHECK(app.stop());
}

TEST_CASE("a TLS server can follow another one on its address") {
  const std::uint16_t port = free_port();
  const std::string own = R"({"port":)" + std::to_string(port) + "}";
  NodeApp app(round_robin(), {.app = "routes.js", .options = own});
  if (!app.by_clusterd()) return;
  CHECK(get(port).ok());
  edit(app.cluster(), "routes.js", "tls.js");
  const Finished reload = app.cluster().verb({"reload"});
  CHECK_MESSAGE(reload.code == 0, reload.err);
  // Both workers have the keys of the first.
  std::string keys;
  for (const auto& line : app.await("listening", 4)) {
    if (!line.contains("tickets")) continue;
    const std::string its(line.at("tickets").as_string());
    if (keys.empty()) keys = its;
    CHECK(its == keys);
  }
  CHECK(!keys.empty());
  CHECK(app.stop());
}

TEST_CASE("a listener that Node workers do not ask for is told of once") {
  const std::uint16_t port = free_port();
  NodeApp app(round_robin(), {.app = "listens.js", .options = on_ports({port})});
  if (!app.by_clusterd()) return;
  CHECK(logs(app.cluster(), "nobody serves listener"));
  const std::string log = app.cluster().log();
  CHECK(log.find("nobody serves listener") == log.rfind("nobody serves listener"));
  CHECK(app.stop());
}

TEST_CASE("a message that is too deep to look at does not silence a Node worker") {
  NodeApp app(round_robin(), {.app = "handles.js", .workers = 1});
  const auto address = app.address();
  (void)read_from(address, "deep");
  for (int times = 0; times < 3; ++times) {
    CHECK(std::stol(read_from(address, "pid")) == app.pids().at(0));
  }
  CHECK(app.stop());
}

TEST_CASE("why a Node worker was not ready is in the reason") {
  struct Fault {
    std::string app;
    std::string options;
    std::string keys;
    std::string reason;
  };
  for (const Fault& fault :
       {Fault{"fork_worker.js", "{}", "", "it has not asked for an address to listen on"},
        Fault{"routes.js", "{}", "ready = \"message\"\n", "its program has not said \"ready\""},
        Fault{"listens.js", R"([{"port":1,"host":"192.0.2.1"}])", "",
              "it cannot listen on 192.0.2.1:1: Cannot assign requested address"}}) {
    CAPTURE(fault.app);
    TempDir dir;
    Cluster cluster({.workers = 1,
                     .command = {node_program(), node_app(fault.app), dir.path("said"),
                                 in_quotes(fault.options)},
                     .worker_keys = "ready_timeout = \"2s\"\nkill_timeout = \"1s\"\n" + fault.keys,
                     .wait_until_running = false});
    CHECK(logs(cluster, "it was not ready within ready_timeout: " + fault.reason));
    cluster.master().signal(SIGTERM);
    CHECK(cluster.master().wait(20s) >= 0);
  }
}

TEST_CASE("a program that is none of clusterd's says so long before its time is over") {
  Cluster cluster({.workers = 1,
                   .command = {"/bin/sleep", "1000"},
                   .worker_keys = "ready_timeout = \"2s\"\n",
                   .wait_until_running = false});
  CHECK(logs(cluster, "worker 1 has said no hello: is it built with the worker library?"));
  CHECK(logs(cluster, "it said no hello within ready_timeout: is it built with"));
  cluster.master().signal(SIGTERM);
  CHECK(cluster.master().wait(20s) >= 0);
}
