// How Node workers leave: by themselves in all the ways that Node has, or because they are asked
// to; what they have begun is finished, and somebody else comes.
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/node.h"
#include "tests/support/told.h"

#include <boost/json/array.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// No TERM because the machine is slow: one that is sent says that the worker did not leave.
constexpr const char* kPatient = "drain_timeout = \"60s\"\n";

struct Way {
  const char* order;
  int code;      ///< that the program sees itself; -1: it sees nothing
  bool planned;  ///< Node's own primary starts no other for it
};

bool term_was_sent(NodeApp& app) {
  return app.by_clusterd() && app.cluster().log().find("sending TERM") != std::string::npos;
}

/// Any worker leaves this way, after an answer that is whole.
void check_leaves(NodeApp& app, const Way& way, std::size_t& workers) {
  const Reply reply = get(app.port(), 10s, std::string("/1?") + way.order);
  REQUIRE(reply.ok());
  const auto pid = static_cast<pid_t>(pid_in(reply.body));
  CHECK(eventually([&] { return !alive(pid); }, 20s));
  if (way.code >= 0) CHECK(app.await("exit", 1, pid)[0].at("code") == way.code);
  const auto ends = app.said("disconnect", pid);
  if (!ends.empty()) CHECK(ends[0].at("planned") == way.planned);
  if (way.planned && !app.by_clusterd()) --workers;
  CHECK(eventually([&] { return app.whole(workers, pid); }, 20s));
}

}  // namespace

TEST_CASE("a Node worker leaves in every way that Node has, and another one comes") {
  static constexpr Way kWays[] = {
      {"disconnect", 0, true}, {"kill", 0, true},    {"hangup", 0, false}, {"exit=3", 3, false},
      {"throw", 1, false},     {"reject", 1, false}, {"abort", -1, false},
  };
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js", .workers = 4, .worker_keys = kPatient});
    std::size_t workers = 4;
    for (const Way& way : kWays) {
      CAPTURE(way.order);
      check_leaves(app, way, workers);
    }
    CHECK(get(app.port()).ok());
    CHECK(!term_was_sent(app));
    CHECK(app.stop());
  }
}

TEST_CASE("the exit of a Node worker is told with its code") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js"});
    if (!app.by_clusterd()) continue;
    const Reply reply = get(app.port(), 10s, "/1?exit=7");
    const Told exit = told_first(app.cluster(), "exit", {{"pid", pid_in(reply.body)}});
    CHECK(exit.at("code") == 7);
    const Reply aborted = get(app.port(), 10s, "/1?abort");
    CHECK(told_first(app.cluster(), "exit", {{"pid", pid_in(aborted.body)}}).at("signal") ==
          "ABRT");
  }
}

TEST_CASE("a Node worker that is asked to leave finishes its requests") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js", .workers = 1, .worker_keys = kPatient});
    Client slow(app.port());
    slow.ask(true, "/1?slow=1000");
    CHECK(get(app.port(), 10s, "/2").ok());  // so the first one has arrived as well
    if (app.by_clusterd()) {
      app.primary().signal(SIGTERM);
    } else {
      CHECK(get(app.port(), 10s, "/1?disconnect").ok());
    }
    CHECK(slow.read_to_end(20s).ok());
    CHECK(app.await("exit")[0].at("code") == 0);
    CHECK(!term_was_sent(app));
    if (app.by_clusterd()) CHECK(app.primary().wait(20s) == 0);
  }
}

TEST_CASE("a Node worker has drain_timeout for its requests, and not kill_timeout") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js",
                          .worker_keys = std::string(kPatient) + "kill_timeout = \"200ms\"\n"});
    if (!app.by_clusterd()) continue;
    for (const std::string order : {"&first&disconnect", ""}) {
      CAPTURE(order);
      Client slow(app.port());
      slow.ask(true, "/1?slow=1500" + order);
      for (int i = 0; i < 2; ++i) CHECK(get(app.port()).ok());  // so the first has arrived as well
      if (order.empty()) {
        CHECK(eventually([&] { return app.whole(2); }, 20s));
        app.primary().signal(SIGTERM);
      }
      CHECK(slow.read_to_end(20s).ok());
    }
    CHECK(app.primary().wait(20s) == 0);
    const std::string log = app.cluster().log();
    CAPTURE(log);
    CHECK(log.find(": sending ") == std::string::npos);
  }
}

TEST_CASE("an idle connection does not hold up a Node worker that leaves") {
  for (const NodeSetting& setting : node_settings()) {
    if (setting.node.find("node18") != std::string::npos) continue;  // 5 s, its keepAliveTimeout
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js", .worker_keys = kPatient});
    Client kept(app.port());
    kept.ask(false);
    CHECK(kept.read_one(10s).ok());
    CHECK(app.stop());
    CHECK(kept.read_to_end(10s).kind == Reply::Kind::eof);
    for (const auto& line : app.await("exit", 2)) CHECK(line.at("code") == 0);
    CHECK(!term_was_sent(app));
  }
}

TEST_CASE("a Node worker that will not leave is ended when its time is over") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js",
                          .workers = 1,
                          .worker_keys = "drain_timeout = \"500ms\"\nkill_timeout = \"500ms\"\n"});
    if (!app.by_clusterd()) continue;  // Node's own waits for ever
    CHECK(get(app.port(), 10s, "/1?interval").ok());
    CHECK(app.stop());
    CHECK(term_was_sent(app));  // Egg and others listen for it
    CHECK(app.pids().empty());
  }
}

TEST_CASE("children of a Node worker do not keep its place taken") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "parent.js", .worker_keys = kPatient});
    app.await("child says", 2);
    const Reply reply = get(app.port());
    const auto pid = static_cast<pid_t>(pid_in(reply.body));
    CHECK(eventually([&] { return app.whole(2, pid); }, 20s));
    CHECK(app.stop());
    for (const auto& line : app.said("children")) {
      for (const auto& child : line.at("children").as_array()) {
        ::kill(static_cast<pid_t>(child.as_int64()), SIGKILL);
      }
    }
  }
}

TEST_CASE("Node workers leave when their primary is killed") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js"});
    for (int i = 0; i < 4; ++i) CHECK(get(app.port()).ok());  // all has been said that they say
    app.primary().signal(SIGKILL);
    for (const auto& line : app.await("exit", 2)) CHECK(line.at("code") == 0);
    CHECK(eventually([&] { return app.pids().empty(); }, 20s));
  }
}

TEST_CASE("a Node worker that commits suicide is replaced first, and finishes what it has") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "routes.js", .worker_keys = kPatient});
    if (!app.by_clusterd()) continue;
    Client slow(app.port());
    slow.ask(true, "/1?first&slow=500&send={%22act%22:%22suicide%22}");
    const Reply reply = slow.read_to_end(20s);
    CHECK(reply.ok());
    const auto pid = static_cast<pid_t>(pid_in(reply.body));
    CHECK(eventually([&] { return !alive(pid) && app.whole(2, pid); }, 20s));
    CHECK(fewest_ready(app.cluster()) >= 1);
    CHECK(!told(app.cluster(), "suicide").empty());
    CHECK(!term_was_sent(app));
    CHECK(app.stop());
  }
}
