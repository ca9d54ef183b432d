// What Node workers say to their primary, and what comes of it.
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/node.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

#include <cctype>
#include <csignal>
#include <cstdio>
#include <set>
#include <string>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// For a query of a URL.
std::string escaped(const std::string& text) {
  std::string safe;
  for (const char one : text) {
    if (std::isalnum(static_cast<unsigned char>(one)) != 0) {
      safe += one;
      continue;
    }
    char code[4];
    (void)std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(one));
    safe += code;
  }
  return safe;
}

/// Has one of the workers send this; gives which.
pid_t send(const NodeApp& app, const std::string& json) {
  const Reply reply = get(app.port(), 10s, "/1?send=" + escaped(json));
  REQUIRE(reply.ok());
  return static_cast<pid_t>(pid_in(reply.body));
}

pid_t other_than(const NodeApp& app, pid_t pid) {
  for (const pid_t one : app.pids()) {
    if (one != pid) return one;
  }
  return 0;
}

}  // namespace

TEST_CASE("whatever a Node worker says, it goes on, and so does everybody else") {
  static const std::string odd[] = {
      "null",
      "42",
      "-1.5e300",
      "true",
      R"("text")",
      "[]",
      "{}",
      R"({"cmd": "NODE_"})",
      R"({"cmd": "NODE_NOBODY_KNOWS"})",
      R"({"cmd": "NODE_CLUSTER", "act": "nobody knows"})",
      R"({"cmd": "NODE_CLUSTER", "ack": 12345})",
      R"({"cmd": 7, "action": 8})",
      R"({"action": "lone", "data": "\ud83d", "to": "app"})",
      R"({"action": "numbers", "data": [1e400, 0.1, 12345678901234567890], "to": "nobody"})",
      R"({"action": "deep", "data": [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]})",
      "\"" + std::string(3000, 'x') + "\"",
  };
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js"});
    const auto pids = app.pids();
    std::size_t sent = 0;
    for (const std::string& message : odd) {
      CAPTURE(message);
      (void)send(app, message);
      app.await("sent", ++sent);
      CHECK(get(app.port()).ok());
    }
    CHECK(app.pids() == pids);
    CHECK(app.stop());
  }
}

TEST_CASE("messages of Node workers go where their envelope says") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js"});
    if (!app.by_clusterd()) continue;
    const auto heard = [&](const std::string& action, pid_t by) {
      std::size_t count = 0;
      for (const auto& line : app.said("message", by)) {
        const auto* message = line.at("message").if_object();
        count += message != nullptr && message->contains("action") &&
                 message->at("action").as_string() == action;
      }
      return count;
    };
    const pid_t sender = send(app, R"({"action": "all", "data": {"n": [1, null]}, "to": "app"})");
    const pid_t other = other_than(app, sender);
    CHECK(eventually([&] { return heard("all", other) == 1; }, 20s));
    CHECK(eventually([&] { return heard("all", sender) == 1; }, 20s));
    for (const pid_t to : {sender, other}) {
      const std::string action = "for " + std::to_string(to);
      (void)send(app, R"({"action": ")" + action + R"(", "data": 1, "receiverPid": ")" +
                          std::to_string(to) + R"("})");
      CHECK(eventually([&] { return heard(action, to) == 1; }, 20s));
      CHECK(heard(action, to == sender ? other : sender) == 0);
    }
    CHECK(app.stop());
  }
}

TEST_CASE("a connection that a Node worker gives away holds up neither it nor its server") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting,
                {.app = "handles.js", .workers = 1, .worker_keys = "drain_timeout = \"60s\"\n"});
    const auto address = app.address();
    CHECK(std::stol(read_from(address, "pid")) == app.pids().at(0));
    for (std::size_t times = 1; times <= 3; ++times) {
      // It comes back to a worker, which answers, or is closed.
      const std::string answer = read_from(address, "give");
      if (!answer.empty()) CHECK(answer.find(" for ") != std::string::npos);
      app.await("sent after it", times);
    }
    CHECK(std::stol(read_from(address, "count")) >= 1);
    CHECK(read_from(address, "close") == "closing\n");
    app.await("closed");
    CHECK(app.stop());
  }
}

TEST_CASE("what a Node worker sends with a message gets to the one that it is for") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "handles.js"});
    if (!app.by_clusterd()) continue;
    const auto address = app.address();
    const auto heard = [&](pid_t by, const std::string& kind, std::int64_t data) {
      for (const auto& line : app.said("message", by)) {
        if (line.at("kind").as_string() != kind) continue;
        if (line.at("message").at("data") == data) return line;
      }
      return NodeApp::Line{};
    };
    // Who is asked may be the receiver itself.
    for (const pid_t to : app.pids()) {
      const std::string pid = std::to_string(to);
      CHECK(read_from(address, "lend " + pid).starts_with(pid + " for "));
      for (const auto& [word, kind] :
           {std::pair{"lend-server ", "Server"}, std::pair{"lend-datagrams ", "Socket"}}) {
        CAPTURE(word);
        const std::int64_t port = std::stol(read_from(address, word + pid));
        CHECK(eventually([&] { return !heard(to, kind, port).empty(); }, 20s));
        CHECK(heard(to, kind, port).at("port") == port);
      }
      CHECK(read_from(address, "lend-lie " + pid) == "lied\n");
      CHECK(read_from(address, "lend 1").empty());  // nobody
    }
    CHECK(eventually(
        [&] {
          return app.cluster().log().find("sent a net.Socket with a message: nobody is there") !=
                 std::string::npos;
        },
        20s));
    CHECK(app.said("exit").empty());
    CHECK(app.pids().size() == 2);
    CHECK(app.stop());
  }
}

TEST_CASE("a plain child of Node's gets the server or its connections as messages") {
  if (under_other_primary()) return;
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "fork_worker.js",
                          .servers = 0,
                          .worker_keys = "protocol = \"node-fork\"\ndrain_timeout = \"60s\"\n"});
    const auto started = app.await("started", 2);
    CHECK(started[0].at("isWorker") == false);
    const std::uint16_t port = app.cluster().port();
    std::set<long> seen;
    for (int i = 0; i < 20; ++i) {
      const Reply reply = get(port);
      CHECK(reply.ok());
      seen.insert(pid_in(reply.body));
    }
    if (setting.round_robin()) CHECK(seen.size() == 2);
    for (const auto& line : app.said("message")) {
      CHECK(line.at("message") == (setting.round_robin() ? "connection" : "server"));
      CHECK(line.at("handle") == (setting.round_robin() ? "Socket" : "Server"));
    }
    // Suicide: the answer is whole, and another one comes.
    const Reply last = get(port, 10s, "/throw");
    CHECK(last.ok());
    const auto pid = static_cast<pid_t>(pid_in(last.body));
    CHECK(eventually([&] { return !alive(pid) && app.cluster().replaced({pid}, 2); }, 20s));
    CHECK(get(port).ok());
    CHECK(app.stop());
  }
}
