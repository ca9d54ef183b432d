#include "config/changes.h"
#include "tests/support/config_texts.h"

#include <doctest/doctest.h>

#include <csignal>
#include <string>
#include <vector>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;

namespace {

using Lines = std::vector<std::string>;

/// A whole app.conf with these lines of [agent], which start at line 5.
std::string in_agent(const std::string& lines) { return kGood + "[agent]\n" + lines + "\n"; }

Settings node_is_there(const std::string& text) {
  Surroundings around = surroundings();
  around.why_not_executable = [](const std::string&) { return std::string(); };
  return good(text, around);
}

}  // namespace

TEST_CASE("there is no agent program unless [agent] has a command") {
  CHECK_FALSE(good(kGood).agent.is_set());
  CHECK_FALSE(good(in_agent("")).agent.is_set());
  CHECK_FALSE(good(in_agent("command = []\nready_timeout = '1s'")).agent.is_set());
}

TEST_CASE("an agent program is as [agent] says") {
  const Agent agent = good(in_agent(R"(command = ['./web', '-a']
env = { A = '3' }
env_file = 'a.env'
ready_timeout = '1s'
drain_timeout = '2s'
kill_timeout = '3s'
cwd = '/srv'
umask = '0027'
nofile = 1000
nice = 5
sched = 'batch'
user = 'alice')"))
                          .agent;
  REQUIRE(agent.is_set());
  CHECK(agent.program.command == std::vector<std::string>{"./web", "-a"});
  CHECK(agent.program.program == "/etc/shop/web");
  CHECK(agent.program.protocol == Protocol::native);
  CHECK(agent.program.env == std::map<std::string, std::string>{{"A", "3"}, {"B", "1"}});
  CHECK(agent.program.ready_timeout == std::chrono::seconds(1));
  CHECK(agent.program.drain_timeout == std::chrono::seconds(2));
  CHECK(agent.program.kill_timeout == std::chrono::seconds(3));
  CHECK(agent.program.cwd == "/srv");
  CHECK(agent.program.umask == 0027U);
  CHECK(agent.program.nofile == 1000U);
  CHECK(agent.program.nice == 5);
  CHECK(agent.program.sched == Sched::batch);
  REQUIRE(agent.user);
  CHECK(agent.user->uid == 1000);
}

TEST_CASE("an agent program runs as the workers do, if it is not said otherwise") {
  const std::string table = "[agent]\ncommand = ['./web']\n";
  CHECK_FALSE(good(kGood + table).agent.user);
  CHECK(good("user = 'www-data'\n" + kGood + table).agent.user->uid == 33);
  CHECK(good("user = 'www-data'\n" + kGood + table + "user = 'alice'\n").agent.user->uid == 1000);
}

TEST_CASE("how an agent program talks is known by its command") {
  const auto protocol = [](const std::string& lines) {
    return node_is_there(in_agent(lines)).agent.program.protocol;
  };
  CHECK(protocol("command = ['node', 'agent.js']") == Protocol::node_fork);
  CHECK(protocol("command = ['gunicorn']") == Protocol::native);
  CHECK(protocol("command = ['node', 'agent.js']\nprotocol = 'auto'") == Protocol::node_fork);
  CHECK(protocol("command = ['python3', 'a.py']\nprotocol = 'node-fork'") == Protocol::node_fork);
  CHECK(protocol("command = ['redis-server']\nprotocol = 'none'") == Protocol::none);
}

TEST_CASE("mistakes in [agent] are told as those of [worker]") {
  const auto mistake = [](const std::string& lines) { return bad(in_agent(lines)); };
  CHECK(contains(mistake("command = ['./nothing']"), "agent.command: "));
  CHECK(contains(mistake("commnd = ['./web']"), "did you mean 'command'?"));
  CHECK(contains(mistake("workers = 2"), "unknown key 'workers' in [agent]"));
  CHECK(contains(mistake("command = ['./web']\nprotocol = 'node'"), "unknown protocol 'node'"));
  CHECK(contains(mistake("command = ['./web']\nready = 'none'"), "agent.ready: 'none' is only"));
  CHECK(contains(mistake("command = ['./web']\ndrain_signal = 'INT'"), "agent.drain_signal: is"));
  CHECK(contains(mistake("command = ['./web']\ngroup = 'adm'"), "agent.group: is only for a user"));
  CHECK(contains(mistake("env = { CLUSTERD_ROLE = 'x' }"), "agent.env: "));
  CHECK(contains(mistake("env_file = 'none.env'"), "agent.env_file: "));
  CHECK(contains(mistake("cwd = '/nowhere'"), "agent.cwd: "));
}

TEST_CASE("what drain_signal and ready mean to other protocols") {
  const Worker agent =
      good(in_agent("command = ['./web']\nprotocol = 'none'\nready = 'none'\ndrain_signal = 'INT'"))
          .agent.program;
  CHECK(agent.ready.when == Ready::When::started);
  CHECK(agent.drain_signal == SIGINT);
}

TEST_CASE("changes of the agent program are told, and make another one of it") {
  const Settings none = good(kGood);
  const Settings one = good(in_agent("command = ['./web']"));
  const Settings other = good(in_agent("command = ['./web']\ndrain_timeout = '9s'"));
  const Settings whose = good(in_agent("command = ['./web']\nuser = 'alice'"));
  CHECK(changes(none, one) == Lines{R"(agent.command: [] -> ["./web"] (/etc/shop/web))"});
  CHECK(changes(one, other) == Lines{"agent.drain_timeout: 5s -> 9s"});
  CHECK(changes(one, whose) ==
        Lines{"agent.user: the workers' -> alice", "agent.group: the user's own -> 1000"});
  CHECK(changes(one, one).empty());
  CHECK(one.agent == good(in_agent("command = ['./web']")).agent);
  CHECK_FALSE(one.agent == other.agent);
  CHECK_FALSE(one.agent == whose.agent);
}
