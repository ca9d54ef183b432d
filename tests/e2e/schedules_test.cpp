// What is done again and again, by the daemon; when it is due is tested under virtual time, in
// unit.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

struct Line {
  std::string what, name, run, slot, pid, data;
};

/// A cluster of workers that handle the schedules whose names do not begin with "plain".
/// All workers stand still, and so does every run.
class Standstill {
 public:
  explicit Standstill(const Cluster& cluster) : workers_(cluster.workers()) {
    for (const pid_t pid : workers_) ::kill(pid, SIGSTOP);
  }
  ~Standstill() {
    for (const pid_t pid : workers_) ::kill(pid, SIGCONT);
  }
  Standstill(const Standstill&) = delete;
  Standstill& operator=(const Standstill&) = delete;

 private:
  std::vector<pid_t> workers_;
};

class Scheduled {
 public:
  explicit Scheduled(const std::string& schedules, unsigned workers = 2,
                     const std::string& more = "", const std::string& worker_keys = "")
      : cluster_({.workers = workers,
                  .command = {CLUSTERD_TEST_SCHEDULE_WORKER},
                  .worker_keys = "env = { RUNS = \"" + dir_.path("runs") +
                                 "\", HANDLES = \"ok throw fail die slow tick\" }\n" + worker_keys,
                  .more = schedules + more}) {}

  Cluster& cluster() { return cluster_; }
  [[nodiscard]] const TempDir& dir() const { return dir_; }

  /// Of one schedule, whole ones only.
  [[nodiscard]] std::vector<Line> lines(const std::string& what, const std::string& name) const {
    std::vector<Line> found;
    std::istringstream file(read_file(dir_.path("runs")));
    for (std::string text; std::getline(file, text) && !file.eof();) {
      std::istringstream in(text);
      Line line;
      in >> line.what >> line.name >> line.run >> line.slot >> line.pid >> line.data;
      if (line.what == what && line.name == name) found.push_back(line);
    }
    return found;
  }
  [[nodiscard]] bool come(const std::string& what, const std::string& name,
                          std::size_t count) const {
    return eventually([&] { return lines(what, name).size() >= count; }, 20s);
  }

  [[nodiscard]] boost::json::object listed(const std::string& name) const {
    const Finished list = cluster_.verb({"schedule", "list", "--json"});
    REQUIRE(list.code == 0);
    const boost::json::value all = boost::json::parse(list.out);
    for (const auto& each : all.as_array()) {
      if (std::string_view(each.at("name").as_string()) == name) return each.as_object();
    }
    return {};
  }
  [[nodiscard]] Finished run(const std::string& name) const {
    return cluster_.verb({"schedule", "run", name});
  }

 private:
  TempDir dir_;
  Cluster cluster_;
};

std::string schedule(const std::string& name, const std::string& rest) {
  return "[[schedule]]\nname = \"" + name + "\"\n" + rest + "\n";
}
/// Never due by itself in a test.
const std::string kRarely = "every = \"30d\"\n";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an interval reaches one worker in turn, cron too, and plain programs by a message") {
  Scheduled all(schedule("tick", "every = \"100ms\"") +
                schedule("ok", "cron = \"* * * * * *\"\ntarget = \"all\"\ndata = \"0\"") +
                schedule("plain", "every = \"200ms\"\naction = \"hello\"\ndata = '{\"a\":1}'"));
  REQUIRE(all.come("begin", "tick", 6));
  const auto ticks = all.lines("begin", "tick");
  std::set<std::string> runs;
  for (std::size_t at = 0; at < ticks.size(); ++at) {
    CHECK(ticks[at].slot == std::to_string(at % 2));
    CHECK(ticks[at].data == "null");
    runs.insert(ticks[at].run);
  }
  CHECK(runs.size() == ticks.size());
  REQUIRE(all.come("begin", "ok", 4));
  std::map<std::string, std::set<std::string>> receivers;
  for (const Line& line : all.lines("begin", "ok")) receivers[line.run].insert(line.slot);
  CHECK(receivers.begin()->second == std::set<std::string>{"0", "1"});
  REQUIRE(all.come("message", "hello", 2));
  CHECK(all.lines("message", "hello")[0].data == "{\"a\":1}");
  const auto plain = all.listed("plain");
  CHECK(plain.at("last").at("result") == "sent");
  CHECK(all.listed("tick").at("last").at("result") == "ok");
  CHECK(all.listed("tick").at("failed") == 0);
}

TEST_CASE("schedule run waits for the end and tells how it was") {
  Scheduled all(schedule("ok", kRarely) + schedule("throw", kRarely + "data = '\"throw\"'") +
                schedule("fail", kRarely + "data = '\"fail\"'") +
                schedule("slow", kRarely + "data = \"300\"") +
                schedule("plain", kRarely + "target = \"all\""));
  const Finished ok = all.run("ok");
  CHECK(ok.code == 0);
  CHECK(has(ok.out, " went well and took "));
  const Finished thrown = all.run("throw");
  CHECK(thrown.code == 71);
  CHECK(has(thrown.err, " failed after "));
  CHECK(has(thrown.err, ": thrown"));
  CHECK(has(all.run("fail").err, ": it failed"));
  CHECK(has(all.run("plain").out, " was told"));
  CHECK(has(all.run("none").err, "there is no schedule \"none\""));
  const Finished slow = all.run("slow");
  CHECK(slow.code == 0);
  CHECK(all.lines("end", "slow").size() == 1);
  // The workers live on.
  CHECK(all.cluster().running(2));
  CHECK(has(all.cluster().log(), "schedule throw: run "));

  Cluster& cluster = all.cluster();
  {
    const Standstill meanwhile(cluster);
    CHECK(cluster.verb({"schedule", "run", "slow", "--no-wait"}).code == 0);
    CHECK(has(all.run("slow").err, "the run before is not over"));
  }
  const Finished list = cluster.verb({"schedule", "list"});
  CHECK(list.code == 0);
  CHECK(list.out.starts_with("NAME "));
  CHECK(has(list.out, "throw failed "));
  CHECK(has(list.out, "every 30d"));
}

TEST_CASE("of two that ask for a run at once one gets it") {
  Scheduled all(schedule("slow", kRarely + "data = \"1500\""));
  const std::vector<std::string> asks{clusterd_program(), "schedule", "run", "slow",
                                      all.cluster().conf()};
  const TempDir dir;
  auto meanwhile = std::make_unique<Standstill>(all.cluster());
  Program first(asks, dir.path("out1"), dir.path("err1"));
  Program second(asks, dir.path("out2"), dir.path("err2"));
  CHECK(eventually([&] { return !first.running() || !second.running(); }, 20s));
  meanwhile.reset();
  const std::vector<int> codes{first.wait(30s), second.wait(30s)};
  CHECK(std::count(codes.begin(), codes.end(), 0) == 1);
  CHECK(std::count(codes.begin(), codes.end(), 71) == 1);
  const std::string refused = read_file(dir.path(codes[0] == 0 ? "err2" : "err1"));
  CHECK(has(refused, "the run before is not over"));
  CHECK(all.lines("begin", "slow").size() == 1);
  CHECK(all.lines("end", "slow").size() == 1);
}

TEST_CASE("a worker that dies in its run ends it, and the run is nobody else's (D28)") {
  Scheduled all(schedule("die", kRarely + "data = '\"die\"'"));
  const Finished died = all.run("die");
  CHECK(died.code == 71);
  CHECK(has(died.err, "ended before it was done"));
  REQUIRE(eventually([&] { return all.cluster().running(2); }, 20s));
  CHECK(all.lines("begin", "die").size() == 1);
  CHECK(all.listed("die").at("failed") == 1);
}

TEST_CASE("D28: ticks over a reload, deaths and an agent's restart are one run each") {
  Scheduled all(schedule("tick", "every = \"100ms\""), 2, "[reload]\nsettle = \"50ms\"\n");
  REQUIRE(all.come("begin", "tick", 5));
  CHECK(all.cluster().verb({"reload"}).code == 0);
  ::kill(all.cluster().workers().at(0), SIGKILL);
  ::kill(all.cluster().agent(), SIGKILL);
  REQUIRE(all.come("begin", "tick", 30));
  std::set<std::string> runs;
  const auto begun = all.lines("begin", "tick");
  for (const Line& line : begun) runs.insert(line.run);
  CHECK(runs.size() == begun.size());
  CHECK(all.cluster().verb({"stop"}).code == 0);
}

TEST_CASE("D27: a run that is longer than the interval is not joined by another") {
  Scheduled all(schedule("slow", "every = \"100ms\"\ndata = \"350\""));
  REQUIRE(all.come("end", "slow", 4));
  const auto listed = all.listed("slow");
  CHECK(listed.at("skipped").as_int64() >= 6);
  CHECK(listed.at("running").as_array().size() <= 1);
  std::istringstream file(read_file(all.dir().path("runs")));
  bool runs = false;
  for (std::string line; std::getline(file, line);) {
    CHECK(runs == line.starts_with("end "));
    runs = line.starts_with("begin ");
  }
}

TEST_CASE("a program that is run for a schedule is as the workers, and its output is in the log") {
  const std::string env = "drain_timeout = \"5s\"\n";
  Scheduled all(
      schedule("job", kRarely + "command = [\"/bin/sh\", \"-c\", \"echo $CLUSTERD_SCHEDULE of "
                                "$CLUSTERD_NAME: $HANDLES; echo $CLUSTERD_RUN >&2\"]") +
          schedule("bad",
                   kRarely + "command = [\"/bin/sh\", \"-c\", \"echo no disk >&2; exit 3\"]") +
          schedule("long", kRarely + "command = [\"/bin/sh\", \"-c\", \"sleep 1000 & wait\"]\n" +
                               "timeout = \"300ms\""),
      1, "[hooks]\n", env);
  CHECK(all.run("job").code == 0);
  const std::string out = read_file(all.cluster().dir().path("out"));
  CHECK(has(out, "job["));
  CHECK(has(out, "job of test: ok throw fail die slow tick"));
  const Finished bad = all.run("bad");
  CHECK(bad.code == 71);
  CHECK(has(bad.err, "exited with code 3"));
  CHECK(has(bad.err, "  no disk"));
  const Finished killed = all.run("long");
  CHECK(has(killed.err, "not over within its timeout, and killed"));
  // Nothing is left of its process group: the master has its worker and its agent.
  CHECK(eventually([&] { return session_of(all.cluster().master().pid()).size() == 3; }, 10s));
}

TEST_CASE("a reload changes schedules, and a run that is under way ends") {
  Scheduled all(schedule("slow", kRarely + "data = \"1500\""), 1);
  CHECK(all.cluster().verb({"schedule", "run", "slow", "--no-wait"}).code == 0);
  REQUIRE(all.come("begin", "slow", 1));
  std::string conf = read_file(all.cluster().conf());
  const std::size_t at = conf.find("[[schedule]]");
  conf =
      conf.substr(0, at) + schedule("tick", "every = \"100ms\"") + "[reload]\nsettle = \"50ms\"\n";
  all.cluster().dir().write("app.conf", conf);
  const Finished reload = all.cluster().verb({"reload"});
  CHECK(reload.code == 0);
  CHECK(has(reload.out, "schedule slow: removed"));
  CHECK(has(reload.out, "schedule tick: added, every 100ms"));
  CHECK(all.come("begin", "tick", 2));
  CHECK(all.come("end", "slow", 1));  // its worker drained, and waited for it
  CHECK(eventually([&] { return all.listed("slow").empty(); }, 10s));
}

TEST_CASE("each run is told to who follows the events, and a change is kept") {
  const TempDir dir;
  const std::string hook = dir.write("hook", "#!/bin/sh\ncat >> " + dir.path("told") + "\n");
  REQUIRE(::chmod(hook.c_str(), 0755) == 0);
  Scheduled all(schedule("ok", kRarely) + schedule("fail", kRarely + "data = '\"fail\"'"), 1,
                "[hooks]\nrun = [\"" + hook + "\"]\n");
  for (int i = 0; i < 3; ++i) CHECK(all.run("ok").code == 0);
  CHECK(all.run("fail").code == 71);
  CHECK(eventually(
      [&] {
        const std::string told = read_file(dir.path("told"));
        return std::count(told.begin(), told.end(), '\n') == 4;
      },
      20s));
  std::istringstream events(all.cluster().verb({"events"}).out);
  std::vector<boost::json::object> kept;
  for (std::string line; std::getline(events, line);) {
    if (has(line, "\"event\":\"run\"")) kept.push_back(boost::json::parse(line).as_object());
  }
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].at("result") == "ok");
  CHECK(kept[0].at("schedule") == "ok");
  CHECK(kept[0].at("slot") == 0);
  CHECK(kept[1].at("result") == "error");
  CHECK(kept[1].at("reason") == "worker 1: it failed");
}

TEST_CASE("a stop ends programs of schedules, and is not held up by them") {
  Scheduled all(
      schedule("job", kRarely + "command = [\"/bin/sh\", \"-c\", \"trap '' TERM; sleep 1000\"]"), 1,
      "", "kill_timeout = \"300ms\"\n");
  CHECK(all.cluster().verb({"schedule", "run", "job", "--no-wait"}).code == 0);
  const pid_t master = all.cluster().master().pid();
  CHECK(all.cluster().verb({"stop"}).code == 0);
  CHECK(all.cluster().master().wait(10s) == 0);
  CHECK(eventually([&] { return session_of(master).empty(); }, 10s));
}

TEST_CASE("a worker in Python tells the end of its runs") {
  const std::string minute = "every = \"30d\"\ntarget = \"all\"\n";
  Cluster cluster(
      {.workers = 2,
       .command = {"python3", "-B", CLUSTERD_SOURCE_DIR "/examples/python/hello.py", "127.0.0.1:0"},
       .worker_keys = "protocol = \"node\"\n",
       .more = schedule("minute", minute + "data = \"1\"") + schedule("plain", minute)});
  CHECK(has(cluster.verb({"schedule", "run", "minute"}).out, " went well and took "));
  CHECK(has(cluster.verb({"schedule", "run", "plain"}).out, " was told"));
  const std::string conf = read_file(cluster.conf());
  const std::string broken = "data = '\"broken\"'\n";
  std::string other = conf;
  other.replace(other.find("data = \"1\"\n"), 11, broken);
  cluster.dir().write("app.conf", other);
  REQUIRE(cluster.verb({"reload"}).code == 0);
  const Finished failed = cluster.verb({"schedule", "run", "minute"});
  CHECK(failed.code == 71);
  CHECK(has(failed.err, "no such minute"));
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK_FALSE(has(cluster.log(), "sending TERM"));
}
