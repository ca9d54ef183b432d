// What `clusterd status` shows of a status: as a person reads it, 80 columns wide.
#include "master/ctl/status_text.h"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <string>

namespace clusterd::ctl {
namespace {

struct Parts {
  std::string state = "running";
  std::string stops_in = "null";
  std::string rollout = "null";
  std::string listeners = R"({"name":"http","address":"127.0.0.1:8080","policy":"round-robin",
                              "state":"open","accepted":12,"waiting":0,"expired":0})";
  std::string workers = "";
  std::string slots = "";
  std::string restarts = R"({"total":0,"in_window":0,"limit":10,"window_s":60.0,"given_up":false})";
};

std::string text_of(const Parts& parts, bool colour = false) {
  const std::string json = R"({"name":"shop","state":")" + parts.state + R"(","stops_in_s":)" +
                           parts.stops_in + R"(,"generation":1,"rollout":)" + parts.rollout +
                           R"(,"master":{"pid":4708,"version":"0.1.0","uptime_s":7500.2},
      "agent":{"pid":4710,"state":"ready","restarts":0},"listeners":[)" +
                           parts.listeners + R"(],"workers":[)" + parts.workers + R"(],"slots":[)" +
                           parts.slots + R"(],"restarts":)" + parts.restarts + "}";
  return "\n" + status_text(boost::json::parse(json).as_object(), colour);
}

std::string worker(const std::string& slot, const std::string& id, const std::string& state,
                   const std::string& drain = "null", const std::string& says = "null",
                   const std::string& generation = "1") {
  return R"({"slot":)" + slot + R"(,"id":)" + id + R"(,"pid":471)" + id + R"(,"generation":)" +
         generation + R"(,"state":")" + state +
         R"(","active":2,"taken":14,"pending":0,"requests":12,"restarts":0,"uptime_s":7498.0,
         "drain":)" +
         drain + R"(,"says":)" + says + "}";
}

std::string slot(const std::string& number, const std::string& state = "running",
                 const std::string& retry = "null", const std::string& last = "null") {
  return R"({"slot":)" + number + R"(,"state":")" + state + R"(","retry_in_s":)" + retry +
         R"(,"last_exit":)" + last + "}";
}

/// Everything below the line with the cluster's state.
std::string after(const std::string& text, const std::string& begin) {
  const std::size_t at = text.find(begin);
  return at == std::string::npos ? "no such line in" + text : text.substr(at);
}

}  // namespace

TEST_CASE("status of a stop that still serves says for how long") {
  CHECK(text_of({.state = "stopping", .stops_in = "8.52"})
            .find("agent pid 4710 ready\nserves on, and stops in 8.5 s\n") != std::string::npos);
}

TEST_CASE("status of a cluster that is well is two lines and two tables") {
  CHECK(text_of({.workers = worker("0", "1", "ready") + "," + worker("1", "2", "ready"),
                 .slots = slot("0") + "," + slot("1")}) ==
        R"(
shop: running, 2 of 2 workers ready, up 2h 5m
master pid 4708 (clusterd 0.1.0), agent pid 4710 ready

LISTENER  ADDRESS         POLICY       ACCEPTED  WAITING
http      127.0.0.1:8080  round-robin        12        0

SLOT  WORKER   PID  GEN  STATE  ACTIVE  PENDING  TAKEN  REQUESTS     UP
   0       1  4711    1  ready       2        0     14        12  2h 4m
   1       2  4712    1  ready       2        0     14        12  2h 4m
)");
}

TEST_CASE("status in a reload says how far it is, who drains, for what, and until when") {
  const std::string drain =
      R"({"connections":2,"deadline_s":3.21,"step":"connections",
          "reason":"generation 2 takes its place"})";
  const std::string killed = R"({"connections":1,"deadline_s":14.0,"step":"exit","reason":"why"})";
  CHECK(text_of({.state = "reloading",
                 .rollout = R"({"from":1,"to":2,"replaced":1,"of":2})",
                 .listeners =
                     R"({"name":"http","address":"127.0.0.1:8080","policy":"round-robin",
                         "state":"open","accepted":12,"waiting":0},
                        {"name":"old","address":"127.0.0.1:81","policy":"sticky",
                         "state":"closing","accepted":3,"waiting":0})",
                 .workers = worker("0", "1", "draining", drain) + "," +
                            worker("0", "3", "ready", "null", "null", "2") + "," +
                            worker("1", "2", "draining", killed),
                 .slots = slot("0") + "," + slot("1")}) ==
        R"(
shop: reloading, 1 of 2 workers ready, up 2h 5m
master pid 4708 (clusterd 0.1.0), agent pid 4710 ready
generation 1 -> 2: 1 of 2 workers replaced

LISTENER  ADDRESS         POLICY       STATE    ACCEPTED  WAITING
http      127.0.0.1:8080  round-robin  open           12        0
old       127.0.0.1:81    sticky       closing         3        0

SLOT  WORKER   PID  GEN  STATE     ACTIVE  PENDING  TAKEN  REQUESTS     UP
   0       1  4711    1  draining       2        0     14        12  2h 4m
   0       3  4713    2  ready          2        0     14        12  2h 4m
   1       2  4712    1  draining       2        0     14        12  2h 4m

worker 1 (slot 0) waits for 2 connections; TERM in 3.2 s: generation 2 takes its place
worker 2 (slot 1) is to end; KILL in 14 s: why
)");
}

TEST_CASE("status of a degraded cluster says why, with the last lines of who died") {
  const std::string code =
      R"({"code":3,"signal":null,"reason":"exited with code 3",
          "stderr":"1\n2\n3\n4\n5\n6 \u001b[2J\n"})";
  const std::string killed =
      R"json({"code":null,"signal":"KILL","reason":"killed by signal 9 (KILL)","stderr":null})json";
  const std::string text = text_of(
      {.state = "degraded",
       .workers = worker("2", "9", "spawned"),
       .slots = slot("0", "given_up", "42.4", code) + "," +
                slot("1", "backing_off", "0.25", killed) + "," +
                slot("2", "running", "null", killed),
       .restarts = R"({"total":7,"in_window":10,"limit":10,"window_s":60.0,"given_up":true})"});
  CHECK(text.find("7 restarts; 10 deaths in the last 60 s, 10 are too many: given up\n") !=
        std::string::npos);
  CHECK(after(text, "\nslot 0") == R"(
slot 0 is given up, next start in 42 s; last worker: exited with code 3
    2
    3
    4
    5
    6 \x1b[2J
slot 1 has nobody, next start in 0.2 s; last worker: killed by signal 9 (KILL)
slot 2 starts again; last worker: killed by signal 9 (KILL)
)");
}

TEST_CASE("status shows what a worker says of itself, harmlessly") {
  const std::string text = text_of(
      {.workers = worker("0", "1", "ready", "null", R"("at \u0007 3 %")"), .slots = slot("0")});
  CHECK(after(text, "\nworker 1") == "\nworker 1 says: at \\x07 3 %\n");
}

TEST_CASE("status of a master that knows less is shown as well") {
  const std::string text = text_of(
      {.listeners = R"({"name":"h","address":"a","policy":"p","accepted":1,"waiting":0})",
       .workers = R"({"slot":0,"id":1,"pid":4711,"generation":1,"state":"draining","active":1,
                      "taken":1,"pending":0,"requests":1,"restarts":0,"uptime_s":1,
                      "drain":{"connections":1,"deadline_s":2}})",
       .slots = slot("0"),
       .restarts = R"({"total":1,"in_window":1,"limit":10,"given_up":false})"});
  CHECK(after(text, "\nworker 1") == "\nworker 1 (slot 0) waits for 1 connection; TERM in 2.0 s\n");
}

TEST_CASE("status in colour says the state in green, or in yellow") {
  CHECK(text_of({}, true).find("shop: \x1b[32mrunning\x1b[0m, 0 of 0") != std::string::npos);
  CHECK(text_of({.state = "degraded"}, true).find("\x1b[33mdegraded\x1b[0m") != std::string::npos);
}

}  // namespace clusterd::ctl
