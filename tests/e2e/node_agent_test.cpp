// Agents of Node: Egg's own, which does not know whose child it is, and a plain program.
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/node.h"

#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <csignal>
#include <string>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

std::string in_node(const std::string& program, const std::string& options) {
  return "\"" + node_program() + "\", \"" + node_modules() + "/egg-cluster/lib/" + program +
         "\", \"" + in_quotes(options) + "\"";
}

/// The application of tests/node/egg-app, with its agent.
ClusterOptions egg(std::uint16_t port, const std::string& run) {
  const std::string options = R"({"framework": ")" + node_modules() + R"(/egg", "baseDir": ")" +
                              node_app("../egg-app") + R"(", "workers": 2, "port": )" +
                              std::to_string(port) + "}";
  const std::string env = "env = { EGG_SERVER_ENV = \"prod\", EGG_APP_RUN = \"" + run + "\" }\n";
  return {.command = {node_program(), node_modules() + "/egg-cluster/lib/app_worker.js",
                      in_quotes(options)},
          .worker_keys = env + "drain_timeout = \"60s\"\n",
          .more = "[agent]\ncommand = [" + in_node("agent_worker.js", options) + "]\n" + env +
                  "drain_timeout = \"20s\"\n",
          .address = "127.0.0.1:" + std::to_string(port)};
}

pid_t ready_agent(const Cluster& cluster) {
  const auto now = cluster.status();
  if (!now || now->at("agent_program").is_null()) return 0;
  const auto& program = now->at("agent_program");
  return program.at("state") == "ready" ? static_cast<pid_t>(program.at("pid").as_int64()) : 0;
}

}  // namespace

TEST_CASE("Egg's agent and its workers start in order, talk, and find each other again") {
  if (under_other_primary()) return;
  const TempDir run;
  const std::uint16_t port = free_port();
  Cluster cluster(egg(port, run.path()));
  const auto says = [&](const std::string& words) {
    return eventually([&] { return get(port).body.find(words) != std::string::npos; }, 20s);
  };
  const pid_t first = ready_agent(cluster);
  REQUIRE(first > 0);
  CHECK(says("\"agents\":[" + std::to_string(first) + "]"));
  CHECK(says("the agent is ready"));
  CHECK(get(port, 10s, "/tell?to=agent&word=hello").ok());
  CHECK(says(std::to_string(first) + " heard hello"));
  CHECK(get(port, 10s, "/tell?to=random&word=chance").ok());
  CHECK(says(std::to_string(first) + " heard chance"));
  const auto workers = cluster.workers();
  ::kill(first, SIGKILL);
  const auto back = [&] { return ready_agent(cluster) != 0 && ready_agent(cluster) != first; };
  REQUIRE(eventually(back, 60s));
  const pid_t second = ready_agent(cluster);
  CHECK(says("\"agents\":[" + std::to_string(second) + "]"));
  CHECK(get(port, 10s, "/tell?to=agent&word=again").ok());
  CHECK(says(std::to_string(second) + " heard again"));
  CHECK(cluster.workers() == workers);
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(cluster.master().wait(60s) == 0);
  const std::string end = "agent program 2 (pid " + std::to_string(second) + ") exited with code 0";
  CHECK(cluster.log().find(end) != std::string::npos);
}
