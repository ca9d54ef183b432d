// Agent programs built with the agent library, in C++ and in C: their messages, and the runs of
// schedules that are theirs.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/temp_dir.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <csignal>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// Never due by itself in a test.
std::string schedule(const std::string& name, const std::string& data = "") {
  return "[[schedule]]\nname = \"" + name + "\"\nevery = \"30d\"\ntarget = \"agent\"\n" +
         (data.empty() ? "" : "data = '" + data + "'\n");
}

ClusterOptions with_agent(const std::string& command, const std::string& more) {
  return {.command = {messages_worker()}, .more = "[agent]\ncommand = [" + command + "]\n" + more};
}

std::string fixture(const TempDir& dir) {
  return "\"" + fixture_agent() + "\", \"" + dir.path() + "\"";
}

std::string agent_state(const Cluster& cluster) {
  const auto now = cluster.status();
  if (!now || now->at("agent_program").is_null()) return "";
  return std::string(now->at("agent_program").at("state").as_string());
}

std::int64_t agent_pid(const Cluster& cluster) {
  return agent_state(cluster) == "ready"
             ? cluster.status()->at("agent_program").at("pid").as_int64()
             : 0;
}

/// The result and the error of the last run.
std::pair<std::string, std::string> last_run(const Cluster& cluster, std::string_view name) {
  const boost::json::value all =
      boost::json::parse(cluster.verb({"schedule", "list", "--json"}).out);
  for (const auto& each : all.as_array()) {
    if (std::string_view(each.at("name").as_string()) != name) continue;
    if (!each.at("last").is_object()) break;
    const auto& last = each.at("last").as_object();
    const auto error = last.find("error");
    return {std::string(last.at("result").as_string()),
            error == last.end() ? "" : std::string(error->value().as_string())};
  }
  return {};
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Both workers have been told it.
bool all_heard(Cluster& cluster, const std::string& line) {
  return eventually(
      [&] {
        return has(get(cluster.port(), 10s, "/news").body, line) &&
               has(get(cluster.port(), 10s, "/news").body, line);
      },
      20s);
}

std::string send_to_agent(const Cluster& cluster, const std::string& action,
                          const std::string& json) {
  const Finished sent = cluster.verb({"send", "--to=agent", "--wait=9s", action, json});
  CAPTURE(sent.err);
  CHECK(sent.code == 0);
  return sent.out;
}

}  // namespace

TEST_CASE("runs that are the agent's end well, fail with what was thrown, or die with it") {
  const TempDir dir;
  Cluster cluster(with_agent(fixture(dir), schedule("well") + schedule("throw", "\"no news\"") +
                                               schedule("die") + schedule("other")));
  const auto pid = agent_pid(cluster);
  const Finished well = cluster.verb({"schedule", "run", "well"});
  CHECK(well.code == 0);
  CHECK(has(well.out, " went well and took "));
  CHECK(has(read_file(dir.path("agent")), "run well\n"));
  CHECK(last_run(cluster, "well").first == "ok");

  const Finished thrown = cluster.verb({"schedule", "run", "throw"});
  CHECK(thrown.code == 71);
  CHECK(has(thrown.err, "\"no news\""));
  const auto [result, error] = last_run(cluster, "throw");
  CHECK(result == "error");
  CHECK(has(error, "\"no news\""));
  // What it has no handler for is a message to it.
  CHECK(has(cluster.verb({"schedule", "run", "other"}).out, " was told"));
  CHECK(agent_pid(cluster) == pid);

  const Finished died = cluster.verb({"schedule", "run", "die"});
  CHECK(died.code == 71);
  CHECK(has(died.err, "ended before it was done"));
  CHECK(last_run(cluster, "die").first == "error");
  const auto back = [&] { return agent_pid(cluster) != 0 && agent_pid(cluster) != pid; };
  REQUIRE(eventually(back, 20s));
  CHECK(cluster.verb({"schedule", "run", "well"}).code == 0);
}

TEST_CASE("an agent that is asked to leave finishes the run that it has") {
  const TempDir dir;
  dir.write("patient", "");
  Cluster cluster(with_agent(fixture(dir), schedule("wait") + "[reload]\nsettle = \"50ms\"\n"));
  const auto pid = agent_pid(cluster);
  CHECK(cluster.verb({"schedule", "run", "wait", "--no-wait"}).code == 0);
  REQUIRE(eventually([&] { return has(read_file(dir.path("agent")), "run wait\n"); }, 20s));
  std::ofstream(cluster.conf(), std::ios::app) << "[agent.env]\nNEW = \"1\"\n";
  Program reload({clusterd_program(), "reload", cluster.conf()}, dir.path("out"), dir.path("err"));
  REQUIRE(eventually([&] { return agent_state(cluster) == "draining"; }, 20s));
  CHECK_FALSE(has(read_file(dir.path("agent")), "over wait"));
  CHECK(last_run(cluster, "wait").first.empty());
  dir.write("go", "");
  CHECK(reload.wait(30s) == 0);
  CHECK(last_run(cluster, "wait") == std::pair<std::string, std::string>("ok", ""));
  CHECK(agent_pid(cluster) != pid);
  CHECK(agent_pid(cluster) != 0);
  CHECK_FALSE(has(read_file(dir.path("agent")), "second "));
  CHECK_FALSE(has(cluster.log(), "sending TERM"));
}

TEST_CASE("a worker asks the agent, and hears why there is no answer") {
  const TempDir dir;
  Cluster cluster(with_agent(fixture(dir), ""));
  const auto pid = agent_pid(cluster);
  CHECK(get(cluster.port(), 10s, "/ask/2/0/ask/9000").body == "1 ");
  const auto heard = [&](const std::string& line) {
    return eventually([&] { return has(get(cluster.port(), 10s, "/news").body, line); }, 20s);
  };
  CHECK(heard("answer 0 " + std::to_string(pid) + "\n"));
  CHECK(send_to_agent(cluster, "ask", "null") == std::to_string(pid) + "\n");
  // It has no handler that answers this one, and dies before the time is over.
  CHECK(get(cluster.port(), 10s, "/ask/2/0/silent/20").body == "1 ");
  CHECK(heard("answer 1 null\n"));
  CHECK(get(cluster.port(), 10s, "/ask/2/0/silent/100000").body == "1 ");
  CHECK(send_to_agent(cluster, "ask", "null") == std::to_string(pid) + "\n");  // it has that one
  ::kill(static_cast<pid_t>(pid), SIGKILL);
  CHECK(heard("answer 3 null\n"));
}

TEST_CASE("an agent in C sends, asks, answers and runs schedules") {
  Cluster cluster(with_agent("\"" CLUSTERD_TEST_MESSAGES_AGENT "\"",
                             schedule("job") + schedule("broken", "\"no disk\"")));
  const auto pid = agent_pid(cluster);
  CHECK(send_to_agent(cluster, "echo", "{\"a\":[1]}") == "{\"a\":[1]}\n");
  CHECK(get(cluster.port(), 10s, "/ask/2/0/echo/9000").body == "1 ");
  CHECK(eventually([&] { return has(get(cluster.port(), 10s, "/news").body, "answer 0 null\n"); },
                   20s));
  const auto tell = [&](const std::string& action, const std::string& data) {
    CHECK(get(cluster.port(), 10s, "/send/2/0/" + action + "/" + data).body == "1 ");
  };
  tell("relay", "1");
  CHECK(all_heard(cluster, "other relayed 0\n"));
  CHECK(all_heard(cluster, "other answer [7]\n"));
  tell("relay", "9");
  CHECK(all_heard(cluster, "other relayed 2\n"));
  tell("first", "1");
  CHECK(all_heard(cluster, "other only 1\n"));
  tell("first", "2");
  CHECK(all_heard(cluster, "other other 2\n"));
  tell("lose", "1");
  CHECK(all_heard(cluster, "other missed 1\n"));
  tell("fail", "\"it\"");
  CHECK(all_heard(cluster, "other failed \"it\"\n"));
  CHECK(has(cluster.verb({"schedule", "run", "job"}).out, " went well and took "));
  const Finished broken = cluster.verb({"schedule", "run", "broken"});
  CHECK(broken.code == 71);
  CHECK(has(broken.err, "\"no disk\""));
  CHECK(agent_pid(cluster) == pid);
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(cluster.master().wait(20s) == 0);
  CHECK_FALSE(has(cluster.log(), "sending TERM"));
  CHECK_FALSE(has(cluster.log(), "Sanitizer"));
}
