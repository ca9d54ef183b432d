// What the master tells of itself to who asks: the verb `events`.
#include "master/os/unix_listener.h"
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/pool.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <deque>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

using namespace clusterd;
using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

using boost::json::object;

/// A client of the control socket that speaks for itself.
class Control {
 public:
  Control(const Cluster& cluster, const std::string& request) {
    auto fd = os::connect_unix(cluster.control(), 0);
    REQUIRE(fd.has_value());
    fd_ = std::move(*fd);
    REQUIRE(::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(request.size()));
  }

  /// The next line; an empty object at the end of the connection.
  object next(std::chrono::milliseconds deadline = 20s) {
    REQUIRE(eventually([this] { return read(), !lines_.empty() || ended_; }, deadline));
    if (lines_.empty()) return {};
    const object line = boost::json::parse(lines_.front()).as_object();
    lines_.pop_front();
    return line;
  }

  /// Reads on until an event has this name and these members.
  object find(const std::string& name, const object& members = {}) {
    for (;;) {
      const object event = next();
      REQUIRE_FALSE(event.empty());
      const bool same = std::all_of(members.begin(), members.end(), [&](const auto& member) {
        return event.contains(member.key()) && event.at(member.key()) == member.value();
      });
      if (same && event.at("event").as_string() == name) return event;
    }
  }

 private:
  void read() {
    char some[64 * 1024];
    const ssize_t got = ::recv(fd_.get(), some, sizeof some, MSG_DONTWAIT);
    if (got > 0) text_.append(some, static_cast<std::size_t>(got));
    if (got == 0) ended_ = true;
    for (std::size_t end = 0; (end = text_.find('\n')) != std::string::npos;) {
      lines_.push_back(text_.substr(0, end));
      text_.erase(0, end + 1);
    }
  }

  UniqueFd fd_;
  std::string text_;
  std::deque<std::string> lines_;
  bool ended_ = false;
};

constexpr const char* kEvents = "{\"verb\":\"events\"}\n";
constexpr const char* kFollow = "{\"verb\":\"events\",\"follow\":true}\n";

/// "worker fork", "master start", ... up to the last line, which must be {"ok":true}.
std::vector<std::string> names(Control& control) {
  std::vector<std::string> result;
  for (std::int64_t seq = 1;; ++seq) {
    const object line = control.next();
    if (line.contains("ok")) {
      CHECK(line.at("ok") == true);
      return result;
    }
    REQUIRE(line.contains("event"));
    CHECK(line.at("seq") == seq);
    CHECK(line.at("time").as_string().size() == 24);
    result.push_back(std::string(line.at("role").as_string()) + " " +
                     std::string(line.at("event").as_string()));
  }
}

bool log_says(const Cluster& cluster, const std::string& text) {
  return eventually([&] { return cluster.log().find(text) != std::string::npos; }, 20s);
}

}  // namespace

TEST_CASE("the events tell how the cluster started") {
  Cluster cluster({.workers = 1});
  Control control(cluster, kEvents);
  CHECK(names(control) == std::vector<std::string>{"master start", "agent fork", "agent online",
                                                   "agent ready", "worker fork", "worker online",
                                                   "worker listening", "worker ready",
                                                   "master ready"});
}

TEST_CASE("who follows the events hears of a death, of its replacement, and of the stop") {
  Cluster cluster({.workers = 1});
  Control control(cluster, kFollow);
  control.find("ready", {{"role", "master"}});
  const pid_t before = cluster.workers().at(0);
  ::kill(before, SIGKILL);

  const object exit = control.find("exit");
  CHECK(exit.at("role") == "worker");
  CHECK(exit.at("slot") == 0);
  CHECK(exit.at("worker") == 1);
  CHECK(exit.at("pid") == before);
  CHECK(exit.at("generation") == 1);
  CHECK(exit.at("signal") == "KILL");
  CHECK(exit.at("planned") == false);
  CHECK(exit.at("uptime_s").is_number());
  CHECK(exit.at("reason") == "killed by signal 9 (KILL)");
  CHECK_FALSE(exit.contains("code"));
  CHECK(control.find("fork").at("worker") == 2);
  const object listening = control.find("listening");
  CHECK(listening.at("listener") == "http");
  CHECK(listening.at("address").as_string() == "127.0.0.1:" + std::to_string(cluster.port()));
  control.find("ready", {{"worker", 2}, {"slot", 0}});

  CHECK(cluster.verb({"stop"}).code == 0);
  const object stop = control.find("stop");
  CHECK(stop.at("role") == "master");
  CHECK(stop.at("planned") == true);
  control.find("drain", {{"worker", 2}});
  const object planned = control.find("exit", {{"worker", 2}});
  CHECK(planned.at("planned") == true);
  CHECK(planned.at("code") == 0);
  CHECK(control.find("agent_exit").at("role") == "agent");
  CHECK(control.next().empty());
}

TEST_CASE("a worker that takes nothing is an event, with what was taken back from it") {
  Cluster cluster({.workers = 2, .worker_keys = "stall_timeout = \"200ms\"\n"});
  Control control(cluster, kFollow);
  const pid_t stopped = cluster.workers().at(0);
  ::kill(stopped, SIGSTOP);
  for (int times = 0; times < 2; ++times) CHECK(get(cluster.port()).ok());
  const object stall = control.find("stall", {{"pid", stopped}});
  CHECK(stall.at("pid") == stopped);
  CHECK(stall.at("connections") == 1);
  ::kill(stopped, SIGCONT);
}

TEST_CASE("a worker that closes its channel and lives is an event") {
  Cluster cluster({.workers = 1,
                   .command = {"/bin/sh", "-c", "exec 3>&-; exec sleep 1000"},
                   .worker_keys = "drain_timeout = \"2s\"\n",
                   .wait_until_running = false});
  REQUIRE(log_says(cluster, "has closed its channel, and lives"));
  Control control(cluster, kFollow);
  CHECK(control.find("disconnect").at("worker") == 1);
  CHECK(control.find("exit").at("planned") == false);
}

TEST_CASE("a worker that just exits is no disconnect") {
  Cluster cluster({.workers = 1});
  Control control(cluster, kFollow);
  for (std::int64_t number = 2; number < 5; ++number) {
    ::kill(cluster.workers().at(0), SIGKILL);
    control.find("ready", {{"worker", number}});
    REQUIRE(eventually([&] { return cluster.running(1); }, 20s));
  }
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(cluster.log().find("has closed its channel") == std::string::npos);
}

TEST_CASE("the events of a worker that says suicide, and of one that exits, say all of it") {
  Cluster cluster({.workers = 1, .command = {fixture_worker(), "events"}});
  Control control(cluster, kFollow);
  CHECK(ask(cluster.port(), "suicide?reason=it+is+tired").ok());
  const object suicide = control.find("suicide", {{"worker", 1}, {"slot", 0}, {"generation", 1}});
  CHECK(suicide.at("reason") == "it is tired");
  CHECK(suicide.at("pid").is_int64());
  control.find("fork", {{"worker", 2}, {"slot", 0}});
  CHECK(control.find("exit", {{"worker", 1}}).at("code") == 1);

  REQUIRE(eventually([&] { return pool_of(cluster).quiet(1); }, 20s));
  CHECK(ask(cluster.port(), "stderr?text=no+key").ok());
  CHECK(ask(cluster.port(), "exit?code=7").ok());
  const object exit = control.find("exit", {{"worker", 2}});
  CHECK(exit.at("code") == 7);
  CHECK(exit.at("planned") == false);
  CHECK(exit.at("reason") == "exited with code 7");
  CHECK(exit.at("stderr") == "no key");
  CHECK(exit.at("uptime_s").to_number<double>() > 0);
  CHECK_FALSE(exit.contains("signal"));
}

TEST_CASE("the events of a scale, a recycle and a kill say who leaves and why") {
  Cluster cluster({.workers = 1, .command = {fixture_worker(), "events"}});
  Control control(cluster, kFollow);
  REQUIRE(cluster.verb({"scale", "2"}).code == 0);
  const object up = control.find("scale", {{"role", "master"}});
  CHECK(up.at("workers") == 2);
  CHECK(up.at("reason") == "1 -> 2");
  CHECK(up.at("pid") == cluster.master().pid());
  REQUIRE(cluster.verb({"scale", "1"}).code == 0);
  CHECK(control.find("scale").at("workers") == 1);
  CHECK(control.find("drain", {{"worker", 2}, {"slot", 1}}).at("reason") == "scaled down to 1");
  const object left = control.find("exit", {{"worker", 2}});
  CHECK(left.at("planned") == true);
  CHECK(left.at("code") == 0);
  REQUIRE(cluster.verb({"recycle", "0"}).code == 0);
  CHECK(control.find("drain", {{"worker", 1}}).at("reason") == "asked to recycle it");
  REQUIRE(eventually([&] { return pool_of(cluster).quiet(1); }, 20s));
  REQUIRE(cluster.verb({"kill", "0"}).code == 0);
  const object killed = control.find("exit", {{"worker", 3}});
  CHECK(killed.at("signal") == "KILL");
  CHECK(killed.at("planned") == true);
}

TEST_CASE("the event of a reload has its verdict, and of a failed one whose fault it was") {
  const TempDir dir;
  Cluster cluster({.workers = 1,
                   .command = {fixture_worker(), "events"},
                   .worker_keys = "env = { FIXTURE_MOOD_FILE = \"" + dir.path("mood") + "\" }\n",
                   .more = "[reload]\nsettle = \"10ms\"\n"});
  Control control(cluster, kFollow);
  REQUIRE(cluster.verb({"reload"}).code == 0);
  CHECK(control.find("drain", {{"worker", 1}}).at("reason") == "generation 2 takes its place");
  const object done = control.find("reload", {{"role", "master"}});
  CHECK(done.at("verdict") == "done");
  CHECK(done.at("generation") == 2);
  CHECK(done.at("uptime_s").is_number());
  CHECK_FALSE(done.contains("worker"));

  dir.write("mood", "FIXTURE_DIE_AT_START=9\n");
  REQUIRE(cluster.verb({"reload"}).code == 75);
  const object failed = control.find("reload");
  CHECK(failed.at("verdict") == "failed");
  CHECK(failed.at("generation") == 3);
  CHECK(failed.at("slot") == 0);
  CHECK(failed.at("worker") == 3);
  CHECK(failed.at("code") == 9);
  CHECK(failed.at("reason") == "exited with code 9");
  CHECK(failed.at("stderr") == "fixture-worker: dies at its start, with 9");
}

TEST_CASE("the event of a give-up says what they died of, and one tells that it is over") {
  const TempDir dir;
  Cluster cluster({.workers = 1,
                   .command = {fixture_worker(), "events"},
                   .worker_keys = "env = { FIXTURE_MOOD_FILE = \"" + dir.path("mood") + "\" }\n",
                   .more = "[restart]\nlimit = 2\ngiveup_retry = \"1s\"\n"});
  Control control(cluster, kFollow);
  dir.write("mood", "FIXTURE_DIE_AT_START=9\n");
  ::kill(cluster.workers().at(0), SIGKILL);
  const object giveup = control.find("giveup", {{"slot", 0}, {"worker", 2}});
  CHECK(giveup.at("code") == 9);
  CHECK(giveup.at("reason") == "exited with code 9");
  CHECK(giveup.at("stderr") == "fixture-worker: dies at its start, with 9");
  CHECK(giveup.at("retry_in_s") == 1);
  dir.write("mood", "\n");
  CHECK(control.find("recover", {{"slot", 0}}).at("worker").as_int64() > 2);
  CHECK(eventually([&] { return cluster.running(1); }, 20s));
}

TEST_CASE("the event of a hang says how it was seen, and ABRT what it did") {
  Cluster cluster({.workers = 1,
                   .command = {fixture_worker(), "events"},
                   .worker_keys = "heartbeat_timeout = \"1s\"\n"});
  Control control(cluster, kFollow);
  CHECK(ask(cluster.port(), "hang").ok());
  const object hang = control.find("hang", {{"worker", 1}, {"slot", 0}});
  CHECK_FALSE(hang.at("reason").as_string().empty());
  CHECK(control.find("exit", {{"worker", 1}}).at("signal") == "ABRT");
}
