// The user's agent program: its place in the start and the stop, its death, and what becomes of it
// at a reload.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/metrics.h"
#include "tests/support/temp_dir.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// `keys` are more lines of [agent].
std::string agent_table(const std::string& command, const std::string& keys = "") {
  return "[agent]\ncommand = [" + command + "]\n" + keys;
}

std::string fixture(const TempDir& dir) {
  return "\"" + fixture_agent() + "\", \"" + dir.path() + "\"";
}

ClusterOptions with_agent(const TempDir& dir, const std::string& keys = "",
                          const std::string& more = "") {
  return {.command = {messages_worker()}, .more = agent_table(fixture(dir), keys) + more};
}

/// What the status says of it: a member, as text; "" if there is none.
std::string program(const Cluster& cluster, const char* member) {
  const auto now = cluster.status();
  if (!now || now->at("agent_program").is_null()) return "";
  return serialize(now->at("agent_program").at(member));
}

pid_t program_pid(const Cluster& cluster) {
  const std::string pid = program(cluster, "pid");
  const bool ready = program(cluster, "state") == "\"ready\"";
  return pid.empty() || pid == "null" || !ready ? 0 : static_cast<pid_t>(std::stol(pid));
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

/// What each worker was told, asked of all in turn.
bool all_heard(Cluster& cluster, const std::string& line, std::size_t times) {
  for (int i = 0; i < 2; ++i) {
    if (count(get(cluster.port(), 10s, "/news").body, line) < times) return false;
  }
  return true;
}

/// So many lives or more, as it tells them; each took a lock that the one before had given back.
void check_never_two(const TempDir& dir, std::size_t lives) {
  const std::string diary = read_file(dir.path("agent"));
  CAPTURE(diary);
  CHECK(count(diary, "start ") >= lives);
  CHECK(count(diary, "second ") == 0);
}

}  // namespace

TEST_CASE("the agent program is ready before the first worker is forked, and ends after the last") {
  const TempDir dir;
  Cluster cluster(with_agent(dir));
  const pid_t pid = program_pid(cluster);
  CHECK(pid > 0);
  CHECK(program(cluster, "restarts") == "0");
  CHECK(has(cluster.verb({"status"}).out, "agent program pid " + std::to_string(pid) + " ready"));
  CHECK(eventually([&] { return has(read_file(dir.path("agent")), "event cluster-ready"); }, 20s));
  CHECK(cluster.verb({"stop"}).code == 0);
  REQUIRE(cluster.master().wait(20s) == 0);
  const std::string log = cluster.log();
  CAPTURE(log);
  const auto at = [&](const std::string& text) { return log.find(text); };
  CHECK(at("agent 1 (pid") < at("agent program 1 (pid"));
  const auto ready = at("agent program 1 (pid " + std::to_string(pid) + ") ready");
  REQUIRE(ready != std::string::npos);
  CHECK(ready < at("worker 1 (slot 0, pid"));
  const auto last_exit = log.rfind("worker 2 (slot 1");
  const auto ended = log.find("agent program 1 (pid " + std::to_string(pid) + ") exited with code");
  CHECK(last_exit < ended);
  CHECK(ended < log.rfind("agent 1 (pid"));
  CHECK(has(read_file(dir.path("agent")), "stop " + std::to_string(pid)));
}

TEST_CASE("an agent program that cannot start ends the start, and says which it was") {
  const TempDir dir;
  dir.write("die", "");
  ClusterOptions options = with_agent(dir);
  options.wait_until_running = false;
  Cluster cluster(options);
  CHECK(cluster.master().wait(30s) == 75);
  CHECK(has(cluster.log(), "agent program 3 ended before the cluster was ready"));
  CHECK_FALSE(has(cluster.log(), "worker 1"));
}

TEST_CASE("one that is never ready ends the start as well") {
  ClusterOptions options{.command = {messages_worker()},
                         .more = agent_table("\"sleep\", \"1000\"", "ready_timeout = \"300ms\"\n"),
                         .wait_until_running = false};
  Cluster cluster(options);
  CHECK(cluster.master().wait(30s) == 75);
  CHECK(has(cluster.log(), "it said no hello within ready_timeout"));
}

TEST_CASE("the death of the agent program disturbs nobody, and the workers are told") {
  const TempDir dir;
  Cluster cluster(with_agent(dir));
  const auto workers = cluster.workers();
  const pid_t builtin = cluster.agent();
  for (std::size_t times = 1; times <= 3; ++times) {
    const pid_t before = program_pid(cluster);
    REQUIRE(before > 0);
    ::kill(before, SIGKILL);
    const auto back = [&] {
      const pid_t now = program_pid(cluster);
      return now != 0 && now != before;
    };
    REQUIRE(eventually(back, 20s));
    CHECK(eventually([&] { return all_heard(cluster, "event agent-exit", times); }, 20s));
    CHECK(eventually([&] { return all_heard(cluster, "event agent-start", times); }, 20s));
  }
  CHECK(cluster.workers() == workers);
  CHECK(cluster.agent() == builtin);
  CHECK(program(cluster, "restarts") == "3");
  const std::string events = cluster.verb({"events"}).out;
  CHECK(count(events, R"("event":"agent_exit","role":"agent program")") == 3);
  check_never_two(dir, 4);
}

TEST_CASE("an agent program that dies too often is given up alone, and comes back by itself") {
  const TempDir dir;
  Cluster cluster(with_agent(
      dir, "", "[restart]\nlimit = 2\ngiveup_retry = \"500ms\"\nbackoff = { first = \"1ms\" }\n"));
  dir.write("die", "");
  ::kill(program_pid(cluster), SIGKILL);
  CHECK(eventually([&] { return has(cluster.log(), "giving up on agent program"); }, 20s));
  CHECK(eventually([&] { return cluster.status()->at("state") == "degraded"; }, 20s));
  CHECK(cluster.workers().size() == 2);
  CHECK(get(cluster.port(), 10s, "/news").ok());
  std::remove(dir.path("die").c_str());
  CHECK(eventually([&] { return cluster.running(2) && program_pid(cluster) != 0; }, 20s));
}

TEST_CASE("an agent program that ignores TERM is killed at its deadline") {
  const TempDir dir;
  Cluster cluster(with_agent(dir, "drain_timeout = \"200ms\"\nkill_timeout = \"200ms\"\n"));
  dir.write("deaf", "");
  const pid_t before = program_pid(cluster);
  ::kill(before, SIGKILL);
  pid_t deaf = 0;
  const auto back = [&] {
    deaf = program_pid(cluster);
    return deaf != 0 && deaf != before;
  };
  REQUIRE(eventually(back, 20s));
  CHECK(cluster.verb({"stop"}).code == 0);
  REQUIRE(cluster.master().wait(20s) == 0);
  CHECK(has(cluster.log(), "sending TERM, since it was not drained within drain_timeout"));
  CHECK(has(cluster.log(), "sending KILL"));
  CHECK_FALSE(alive(deaf));
}

TEST_CASE("an exception that escapes a handler of the agent is told, and it lives on") {
  const TempDir dir;
  const std::string hook = dir.write("hook", "#!/bin/sh\ncat >> " + dir.path("told") + "\n");
  REQUIRE(::chmod(hook.c_str(), 0755) == 0);
  Cluster cluster(with_agent(dir, "", kHttp + "[hooks]\nagent_error = [\"" + hook + "\"]\n"));
  const pid_t pid = program_pid(cluster);
  for (int i = 0; i < 3; ++i) {
    CHECK(get(cluster.port(), 10s, "/send/2/0/throw/7").ok());
  }
  CHECK(eventually([&] { return count(read_file(dir.path("agent")), "error ") == 3; }, 20s));
  const auto told = [&] {
    return has(cluster.verb({"events"}).out, R"("event":"agent_error","role":"agent program")");
  };
  CHECK(eventually(told, 20s));
  const auto hooked = [&] {
    const std::string text = read_file(dir.path("told"));
    return has(text, R"("event":"agent_error","role":"agent program")") &&
           has(text, R"("reason":"7")");
  };
  CHECK(eventually(hooked, 20s));
  auto measured = metrics(http_port(cluster));
  CHECK(measured["clusterd_agent_program_errors_total"] == 3);
  CHECK(measured["clusterd_messages_queued_total"] == 3);
  CHECK(measured["clusterd_messages_undelivered_total"] == 0);
  CHECK(measured["clusterd_log_dropped_lines_total"] == 0);
  CHECK(has(cluster.log(), "an exception escaped a handler of the agent"));
  CHECK(program_pid(cluster) == pid);
}

TEST_CASE("an agent program says that it is ready in any way that programs have") {
  struct Row {
    const char* what;
    std::string command;
    std::string keys;
  };
  const std::string by_notify =
      R"t("python3", "-c", "import os,socket as x,time; s=x.socket(x.AF_UNIX,x.SOCK_DGRAM); )t"
      R"t(s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'].replace('@','\\0',1)); )t"
      R"t(time.sleep(99)")t";
  const std::string by_action =
      R"t("python3", "-c", "import os,time; os.write(3, b'{\"action\":\"agent-start\"}\\n'); )t"
      R"t(time.sleep(99)")t";
  const Row table[] = {
      {"sd_notify on a channel that is not used", by_notify, ""},
      {"sd_notify without a channel", by_notify, "protocol = \"none\"\n"},
      {"Egg's message", by_action, ""},
      {"nothing at all", R"("sleep", "99")", "protocol = \"none\"\nready = \"none\"\n"},
  };
  for (const Row& row : table) {
    CAPTURE(row.what);
    Cluster cluster(
        {.workers = 1, .command = {messages_worker()}, .more = agent_table(row.command, row.keys)});
    CHECK(program_pid(cluster) > 0);
    CHECK(cluster.verb({"stop"}).code == 0);
    CHECK(cluster.master().wait(20s) == 0);
  }
}

TEST_CASE("an agent program that is ready first and says hello later has messages and runs") {
  const TempDir dir;
  const std::string program_text =
      "import json, os, socket, time\n"
      "notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
      "notify.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'].replace('@', '\\0', 1))\n"
      "while not os.path.exists('" +
      dir.path("go") +
      "'): time.sleep(0.01)\n"
      "def say(**line): os.write(3, json.dumps(line).encode() + b'\\n')\n"
      "say(cmd='CLUSTERD', act='hello', version=1)\n"
      "say(cmd='CLUSTERD', act='handles', schedule='job')\n"
      "for line in os.fdopen(3, closefd=False):\n"
      "    told = json.loads(line)\n"
      "    if told.get('act') == 'run': say(cmd='CLUSTERD', act='ran', run=told['run'])\n"
      "    if 'request' in told:\n"
      "        say(action='answer', receiverPid=told['senderPid'], senderPid=os.getpid(),\n"
      "            reply=told['request'], data=told['data'])\n";
  const std::string command = "\"python3\", \"" + dir.write("agent.py", program_text) + "\"";
  Cluster cluster({.workers = 1,
                   .command = {messages_worker()},
                   .more = agent_table(command) + "[[schedule]]\nname = \"job\"\n" +
                           "every = \"30d\"\ntarget = \"agent\"\n"});
  CHECK(program_pid(cluster) > 0);
  CHECK(cluster.verb({"schedule", "run", "job"}).code != 0);
  CHECK(cluster.verb({"send", "--to=agent", "--wait=9s", "ask", "[1]"}).code != 0);
  dir.write("go", "");
  const auto answered = [&] {
    return cluster.verb({"send", "--to=agent", "--wait=9s", "ask", "[1]"}).out == "[1]\n";
  };
  CHECK(eventually(answered, 20s));
  CHECK(has(cluster.verb({"schedule", "run", "job"}).out, " went well and took "));
  CHECK(get(cluster.port(), 10s, "/ask/2/0/ask/9000").ok());
  CHECK(eventually([&] { return has(get(cluster.port(), 10s, "/news").body, "answer 0 null"); },
                   20s));
}

TEST_CASE("a reload starts the agent program anew if its settings have changed, else leaves it") {
  const TempDir dir;
  Cluster cluster(with_agent(dir, "", "[reload]\nsettle = \"50ms\"\n"));
  const pid_t first = program_pid(cluster);
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK(program_pid(cluster) == first);
  std::ofstream(cluster.conf(), std::ios::app) << "[agent.env]\nNEW = \"1\"\n";
  const Finished reload = cluster.verb({"reload"});
  CAPTURE(reload.out);
  CAPTURE(reload.err);
  CHECK(reload.code == 0);
  CHECK(has(reload.out, "agent.env: NEW added"));
  const pid_t second = program_pid(cluster);
  CHECK(second != first);
  CHECK(second != 0);
  CHECK(cluster.verb({"restart"}).code == 0);
  CHECK(program_pid(cluster) != second);
  CHECK(program_pid(cluster) != 0);
  check_never_two(dir, 3);
  CHECK(eventually([&] { return all_heard(cluster, "event cluster-ready", 1); }, 20s));
}

TEST_CASE("a reload kills an agent program that ignores TERM before it starts the next") {
  const TempDir dir;
  dir.write("deaf", "");
  Cluster cluster(with_agent(dir, "drain_timeout = \"200ms\"\nkill_timeout = \"200ms\"\n",
                             "[reload]\nsettle = \"50ms\"\n"));
  const pid_t deaf = program_pid(cluster);
  REQUIRE(deaf > 0);
  std::remove(dir.path("deaf").c_str());
  std::ofstream(cluster.conf(), std::ios::app) << "[agent.env]\nNEW = \"1\"\n";
  const Finished reload = cluster.verb({"reload"});
  CAPTURE(reload.err);
  CHECK(reload.code == 0);
  const pid_t next = program_pid(cluster);
  CHECK(next != deaf);
  CHECK(next != 0);
  CHECK_FALSE(alive(deaf));
  CHECK(has(cluster.log(), "sending KILL"));
  check_never_two(dir, 2);
}

TEST_CASE("a reload whose agent program fails brings the old one back") {
  const TempDir dir;
  Cluster cluster(with_agent(dir, "", "[reload]\nsettle = \"50ms\"\n"));
  const std::string before = read_file(cluster.conf());
  std::string after = before;
  const std::string command = fixture(dir);
  after.replace(after.find(command), command.size(), "\"false\"");
  std::ofstream(cluster.conf()) << after;
  const Finished reload = cluster.verb({"reload"});
  CAPTURE(reload.err);
  CHECK(reload.code == 75);
  CHECK(has(reload.err, "agent program"));
  CHECK(eventually([&] { return cluster.running(2) && program_pid(cluster) != 0; }, 20s));
  CHECK(cluster.status()->at("generation") == 1);
}
