// Node programs as workers that know nothing of clusterd: what they find when they begin, in how
// many ways they can be started, and when they are ready.
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/node.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// Each worker answers, and nobody else.
void check_all_serve(NodeApp& app, std::size_t workers) {
  std::set<long> seen;
  const auto all_seen = [&] {
    const Reply reply = get(app.port());
    CHECK(reply.ok());
    seen.insert(pid_in(reply.body));
    return seen.size() >= workers || !reply.ok();
  };
  CHECK(eventually(all_seen, 20s));
  const auto pids = app.pids();
  CHECK(std::set<long>(pids.begin(), pids.end()) == seen);
}

/// As Node has it for a worker that it started itself.
void check_is_worker(const NodeApp::Line& line) {
  CAPTURE(boost::json::serialize(line));
  CHECK(line.at("isWorker") == true);
  CHECK(line.at("isPrimary") == false);
  CHECK(line.at("connected") == true);
  CHECK(line.at("canSend") == true);
  CHECK(line.at("workerConnected") == true);
  CHECK(line.at("workerDead") == false);
  CHECK(line.at("exitedAfterDisconnect") == "undefined");
  CHECK(line.at("left") == boost::json::array{});
  CHECK(line.at("arguments") == 3);
  CHECK(line.at("id").as_int64() > 0);
}

}  // namespace

TEST_CASE("a Node program finds itself a worker of a cluster and nothing left of how it came") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "start.js"});
    const auto lines = app.await("start", 2);
    check_is_worker(lines[0]);
    check_is_worker(lines[1]);
    CHECK(lines[0].at("id") != lines[1].at("id"));
    if (app.by_clusterd()) CHECK(lines[0].at("slot") != lines[1].at("slot"));
    CHECK(app.stop());
  }
}

TEST_CASE(
    "a Node worker is an ES module or has others loaded before it, as its command line says") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp module(setting, {.app = "start.mjs", .workers = 1});
    check_is_worker(module.await("start").at(0));
    NodeApp preloaded(setting,
                      {.app = "start.js", .workers = 1, .flags = {"-r", node_app("preload.js")}});
    CHECK(preloaded.await("start").at(0).at("preloaded") == true);
  }
}

TEST_CASE("a Node program that forks for itself takes its worker's branch") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "whole.js", .workers = 3});
    check_all_serve(app, 3);
    CHECK(app.said("primary branch").empty());
  }
}

TEST_CASE("an Express application is served by all of its workers") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting,
                {.app = "express.js", .options = R"({"modules": ")" + node_modules() + R"("})"});
    check_all_serve(app, 2);
    CHECK(app.stop());
  }
}

TEST_CASE("a Node worker is ready when it listens, or later when it says so") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(
        setting,
        {.app = "late.js", .options = R"({"after": 300})", .worker_keys = "ready = \"message\"\n"});
    if (!app.by_clusterd()) continue;
    // NodeApp waited until clusterd said that all are ready.
    CHECK(app.said("ready").size() == 2);
  }
}

TEST_CASE("a Node worker without a server is ready by its word, and leaves when it is asked to") {
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    NodeApp app(setting, {.app = "quiet.js", .servers = 0, .worker_keys = "ready = \"message\"\n"});
    app.await("started", 2);
    CHECK(app.stop());
    const auto exits = app.await("exit", 2);
    CHECK(exits[0].at("code") == 0);
    CHECK(exits[1].at("code") == 0);
  }
}

TEST_CASE("a shell that becomes Node is a worker when app.conf says so") {
  if (under_other_primary()) return;
  for (const NodeSetting& setting : node_settings()) {
    CAPTURE(setting.text());
    const TempDir dir;
    const std::string line =
        "exec " + setting.node + " " + node_app("whole.js") + " " + dir.path("said");
    Cluster cluster({.policy = setting.policy,
                     .command = {"/bin/sh", "-c", line},
                     .worker_keys = "protocol = \"node\"\n"});
    CHECK(cluster.workers().size() == 2);
    CHECK(cluster.verb({"stop"}).code == 0);
  }
}
