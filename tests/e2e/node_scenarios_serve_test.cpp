// How connections come to Node workers: each to somebody who can take it, and none is lost.
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/keep_alive.h"
#include "tests/support/load.h"
#include "tests/support/node.h"
#include "tests/support/told.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <csignal>
#include <deque>
#include <map>
#include <netinet/in.h>
#include <poll.h>
#include <set>
#include <sstream>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// `count` requests, one after the other: how many each worker has answered.
std::map<long, int> spread(const NodeApp& app, int count) {
  std::map<long, int> by_worker;
  for (int i = 0; i < count; ++i) {
    const Reply reply = get(app.port());
    REQUIRE(reply.ok());
    ++by_worker[pid_in(reply.body)];
  }
  return by_worker;
}

/// CPU time of a process so far.
std::chrono::milliseconds cpu_of(pid_t pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  long user = 0;
  long system = 0;
  fields >> user >> system;
  return std::chrono::milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
}

/// One datagram and its answer.
std::string echo(std::uint16_t port, const std::string& text) {
  const clusterd::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) < 0) return "";
  if (::send(fd.get(), text.data(), text.size(), 0) < 0) return "";
  pollfd ready{fd.get(), POLLIN, 0};
  if (::poll(&ready, 1, 10'000) <= 0) return "";
  char bytes[256];
  const ssize_t got = ::recv(fd.get(), bytes, sizeof bytes, 0);
  return got < 0 ? "" : std::string(bytes, static_cast<std::size_t>(got));
}

}  // namespace

TEST_CASE("round-robin among Node workers is even") {
  for (const NodeSetting& setting : node_settings()) {
    if (!setting.round_robin()) continue;
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js", .workers = 3});
    const auto counts = spread(app, 90);
    CHECK(counts.size() == 3);
    for (const auto& [pid, count] : counts) CHECK(std::abs(count - 30) <= 1);
    CHECK(app.stop());
  }
}

TEST_CASE("connections that stay are served by Node workers, and so are those beside them") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js"});
    KeepAliveLoad kept(app.port(), 8);
    CHECK(spread(app, 50).size() <= 2);
    CHECK(eventually([&] { return kept.done() >= 100; }, 20s));
    const KeepAliveReport report = kept.stop();
    CAPTURE(report.text());
    CHECK(report.lost == 0);
    CHECK(app.stop());
  }
}

TEST_CASE("a client that does not read does not hold up its Node worker") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js", .workers = 1});
    Client slow(app.port());
    slow.ask(true, "/1?big=30000000");
    for (int i = 0; i < 5; ++i) CHECK(get(app.port(), 10s).ok());
    slow.close();
    CHECK(app.stop());
  }
}

TEST_CASE("whoever connects reaches the server of its port while the channel is full of messages") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "pairs.js", .servers = 2});
    const auto pids = app.pids();
    for (int i = 0; i < 200; ++i) {
      const std::string text = read_from(app.address(i % 2));
      CAPTURE(text);
      REQUIRE(text.starts_with(std::to_string(app.port(i % 2)) + " "));
    }
    CHECK(app.said("stray").empty());
    CHECK(app.pids() == pids);
    CHECK(app.stop());
  }
}

TEST_CASE("what a Node worker refuses another one takes, or it itself when it has room") {
  for (const NodeSetting& setting : node_settings()) {
    // With the listener its own, a worker closes what is too much for it.
    if (!setting.round_robin()) continue;
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js", .options = R"({"connections": 1})"});
    const auto pids = app.pids();
    const auto before = cpu_of(app.primary().pid());
    std::deque<Client> clients;
    for (int i = 0; i < 6; ++i) clients.emplace_back(app.port()).ask(true, "/1?slow=400");
    std::map<long, int> by_worker;
    for (Client& client : clients) {
      const Reply reply = client.read_to_end(20s);
      CHECK(reply.ok());
      ++by_worker[pid_in(reply.body)];
    }
    CHECK(by_worker.size() == 2);
    // For 800 ms and more all refused what waited: nobody spins meanwhile.
    const auto used = cpu_of(app.primary().pid()) - before;
    CAPTURE(used.count());
    if (app.by_clusterd()) CHECK(used < 300ms);
    CHECK(app.pids() == pids);
    CHECK(app.stop());
  }
}

TEST_CASE("a Node worker without descriptors loses no connection") {
  for (const NodeSetting& setting : node_settings()) {
    // With the listener its own, a worker without descriptors closes what it cannot accept.
    if (!setting.round_robin()) continue;
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js", .worker_keys = "nofile = 256\n"});
    if (!app.by_clusterd()) continue;  // Node's own loses it
    const Reply told = get(app.port(), 10s, "/1?fill");
    REQUIRE(told.ok());
    app.await("full");
    for (int i = 0; i < 20; ++i) {
      const Reply reply = get(app.port(), 10s, "/1");
      CHECK(reply.ok());
    }
    CHECK(eventually([&] { return app.cluster().workers().size() == 2; }, 20s));
    CHECK(app.stop());
  }
}

TEST_CASE("what a Node worker had not taken when it died is another one's") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js"});
    if (!app.by_clusterd()) continue;  // Node's own leaves it hanging
    const Reply told = get(app.port(), 10s, "/1?block=20000");
    REQUIRE(told.ok());
    app.await("blocks");
    const auto stuck = static_cast<pid_t>(pid_in(told.body));
    std::deque<Client> clients;
    for (int i = 0; i < 6; ++i) clients.emplace_back(app.port()).ask();
    ::kill(stuck, SIGKILL);
    for (Client& client : clients) {
      const Reply reply = client.read_to_end(20s);
      CHECK(reply.ok());
      CHECK(pid_in(reply.body) != stuck);
    }
    CHECK(eventually([&] { return app.whole(2, stuck); }, 20s));
    CHECK(app.stop());
  }
}

TEST_CASE("a Node worker that hangs costs nobody a connection while it hangs") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js"});
    if (!app.by_clusterd()) continue;
    const Reply told = get(app.port(), 10s, "/1?block=3000");
    REQUIRE(told.ok());
    app.await("blocks");
    std::deque<Client> clients;
    for (int i = 0; i < 10; ++i) clients.emplace_back(app.port()).ask();
    for (Client& client : clients) CHECK(client.read_to_end(20s).ok());
    CHECK(app.whole(2));  // it was slow, and that is no crime
    CHECK(app.stop());
  }
}

TEST_CASE("a Node worker whose loop stands still is found, killed and replaced") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js",
                          .worker_keys = "heartbeat_timeout = \"2s\"\nkill_timeout = \"1s\"\n"});
    if (!app.by_clusterd()) continue;
    const Reply told_to = get(app.port(), 10s, "/1?block=60000");
    REQUIRE(told_to.ok());
    const auto stuck = static_cast<pid_t>(pid_in(told_to.body));
    app.await("blocks", 1, stuck);
    std::deque<Client> clients;
    for (int i = 0; i < 6; ++i) clients.emplace_back(app.port()).ask();
    const Told hang = told_first(app.cluster(), "hang", {{"pid", stuck}});
    CHECK(hang.at("reason") == "its loop has not turned for 2 s");
    for (Client& client : clients) {
      const Reply reply = client.read_to_end(20s);
      CHECK(reply.ok());
      CHECK(pid_in(reply.body) != stuck);
    }
    CHECK(eventually([&] { return !alive(stuck) && app.whole(2, stuck); }, 30s));
    CHECK(told(app.cluster(), "hang").size() == 1);
    CHECK(app.stop());
  }
}

TEST_CASE("Node workers are served by least-connections") {
  if (under_other_primary()) return;
  NodeApp app({node_program(), "least-connections"}, {.app = "routes.js"});
  const LoadReport report = Load(app.port(), {.clients = 16, .most = 400}).finish();
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(report.lost() == 0);
  CHECK(report.by_worker().size() == 2);
  CHECK(app.stop());
}

TEST_CASE("sticky sends each client to one Node worker, and to whoever replaces it") {
  if (under_other_primary()) return;
  NodeApp app({node_program(), "sticky"}, {.app = "routes.js"});
  const auto mine = spread(app, 30);
  CHECK(mine.size() == 1);
  // Clients of other addresses are not all of this one.
  const LoadReport report = Load(app.port(), {.clients = 32, .most = 320}).finish();
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(report.lost() == 0);
  CHECK(report.by_worker().size() == 2);
  const auto dead = static_cast<pid_t>(mine.begin()->first);
  const auto before = app.pids();
  ::kill(dead, SIGKILL);
  CHECK(eventually([&] { return app.whole(2, dead); }, 20s));
  const auto after = spread(app, 30);
  CHECK(after.size() == 1);
  const auto heir = static_cast<pid_t>(after.begin()->first);
  CHECK(std::count(before.begin(), before.end(), heir) == 0);
  CHECK(app.stop());
}

TEST_CASE("Node workers share a UDP socket") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "udp.js"});
    const auto pids = app.pids();
    const std::set<pid_t> workers(pids.begin(), pids.end());
    for (int i = 0; i < 30; ++i) {
      const std::string text = echo(app.port(), "datagram " + std::to_string(i));
      CAPTURE(text);
      REQUIRE(text.ends_with(" datagram " + std::to_string(i)));
      CHECK(workers.contains(static_cast<pid_t>(std::stol(text))));
    }
    CHECK(app.stop());
  }
}

TEST_CASE("a TLS session that one Node worker began another one goes on with") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "tls.js", .workers = 3});
    const auto lines = app.said("listening");
    CHECK(lines[0].at("tickets").as_string().size() == 96);
    for (const auto& line : lines) CHECK(line.at("tickets") == lines[0].at("tickets"));
    const Finished client =
        run({setting.node, node_app("tls_client.js"), std::to_string(app.port()), "8"});
    CAPTURE(client.out);
    std::istringstream answers(client.out);
    std::set<long> pids;
    int resumed = 0;
    long pid = 0;
    for (std::string reused; answers >> pid >> reused;) {
      pids.insert(pid);
      resumed += reused == "true";
    }
    CHECK(resumed == 7);
    if (setting.round_robin()) CHECK(pids.size() == 3);
    CHECK(app.stop());
  }
}
