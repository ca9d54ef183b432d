#include "master/runtime/child_spec.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

namespace clusterd::runtime {
namespace {

/// A variable of this process, for as long as the test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

config::Settings settings() {
  config::Settings settings;
  settings.name = "shop";
  settings.directory = "/srv/shop";
  settings.worker.program = "/usr/bin/serve";
  settings.worker.command = {"serve", "--fast"};
  return settings;
}

core::Spawn spawn_of(Role role) {
  core::Spawn spawn;
  spawn.child = {role, 7};
  spawn.slot = SlotId(2);
  spawn.generation = Generation(3);
  return spawn;
}

bool has(const os::SpawnSpec& spec, const std::string& entry) {
  return std::count(spec.env.begin(), spec.env.end(), entry) == 1;
}

bool has_any(const os::SpawnSpec& spec, const std::string& name) {
  return std::any_of(spec.env.begin(), spec.env.end(),
                     [&](const std::string& entry) { return entry.starts_with(name + "="); });
}

}  // namespace

TEST_CASE("a worker gets its command, and who it is in its environment") {
  const os::SpawnSpec spec = child_spec(settings(), spawn_of(Role::worker), {100, 200});
  CHECK(spec.program == "/usr/bin/serve");
  CHECK(spec.argv == std::vector<std::string>{"serve", "--fast"});
  CHECK(spec.directory == "/srv/shop");
  CHECK(spec.open_files.rlim_cur == 100);
  CHECK(spec.open_files.rlim_max == 200);
  for (const char* entry :
       {"CLUSTERD_ROLE=worker", "CLUSTERD_SLOT=2", "CLUSTERD_WORKER_ID=7", "CLUSTERD_GENERATION=3",
        "CLUSTERD_NAME=shop", "CLUSTERD_CHANNEL_FD=3"}) {
    CAPTURE(entry);
    CHECK(has(spec, entry));
  }
}

TEST_CASE("the agent is this program under another name, and has no seat") {
  const os::SpawnSpec spec = child_spec(settings(), spawn_of(Role::agent), {});
  CHECK(spec.program == "/proc/self/exe");
  CHECK(spec.argv == std::vector<std::string>{"clusterd: agent of shop"});
  CHECK(has(spec, "CLUSTERD_ROLE=agent"));
  CHECK_FALSE(has_any(spec, "CLUSTERD_SLOT"));
  CHECK_FALSE(has_any(spec, "CLUSTERD_WORKER_ID"));
}

TEST_CASE("the agent program is what [agent] says, and is told that it is the agent") {
  config::Settings own = settings();
  own.agent.program.program = "/usr/bin/node";
  own.agent.program.command = {"node", "agent.js"};
  own.agent.program.protocol = config::Protocol::node_fork;
  own.agent.program.cwd = "/srv/agent";
  own.agent.program.env = {{"A", "1"}};
  const os::SpawnSpec spec = child_spec(own, spawn_of(Role::program), {});
  CHECK(spec.program == "/usr/bin/node");
  CHECK(spec.argv == std::vector<std::string>{"node", "agent.js"});
  CHECK(spec.directory == "/srv/agent");
  CHECK_FALSE(spec.outlives_master);
  for (const char* entry : {"CLUSTERD_ROLE=agent", "A=1", "NODE_CHANNEL_FD=3",
                            "CLUSTERD_CHANNEL_FD=3", "CLUSTERD_GENERATION=3"}) {
    CAPTURE(entry);
    CHECK(has(spec, entry));
  }
  for (const char* name : {"CLUSTERD_SLOT", "CLUSTERD_WORKER_ID", "NODE_UNIQUE_ID"}) {
    CAPTURE(name);
    CHECK_FALSE(has_any(spec, name));
  }
}

TEST_CASE("a child inherits the environment, without what is the master's alone") {
  const Variable plain("TEST_PLAIN", "a=b");
  const Variable empty("TEST_EMPTY", "");
  const Variable notify("NOTIFY_SOCKET", "x");
  const Variable watchdog("WATCHDOG_USEC", "x");
  const Variable listen("LISTEN_FDS", "x");
  const Variable node("NODE_CHANNEL_FD", "x");
  const Variable unique("NODE_UNIQUE_ID", "x");
  const Variable outer("CLUSTERD_SLOT", "outer");
  const Variable longer("NOTIFY_SOCKETS", "kept");
  const os::SpawnSpec spec = child_spec(settings(), spawn_of(Role::worker), {});
  CHECK(has(spec, "TEST_PLAIN=a=b"));
  CHECK(has(spec, "TEST_EMPTY="));
  CHECK(has(spec, "NOTIFY_SOCKETS=kept"));
  CHECK(has(spec, "CLUSTERD_SLOT=2"));
  CHECK_FALSE(has(spec, "CLUSTERD_SLOT=outer"));
  for (const char* name :
       {"NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS", "NODE_CHANNEL_FD", "NODE_UNIQUE_ID"}) {
    CAPTURE(name);
    CHECK_FALSE(has_any(spec, name));
  }
}

TEST_CASE("the configuration's variables win over inherited ones, and lose against the master's") {
  const Variable inherited("TEST_PLAIN", "inherited");
  config::Settings own = settings();
  own.worker.env = {{"TEST_PLAIN", "configured"}, {"CLUSTERD_SLOT", "9"}};
  const os::SpawnSpec worker = child_spec(own, spawn_of(Role::worker), {});
  CHECK(has(worker, "TEST_PLAIN=configured"));
  CHECK(has(worker, "CLUSTERD_SLOT=2"));
  CHECK(has(child_spec(own, spawn_of(Role::agent), {}), "TEST_PLAIN=inherited"));
}

TEST_CASE("a child is told where it may speak to the master, and how often it has to") {
  const os::SpawnSpec spec =
      child_spec(settings(), spawn_of(Role::worker), {}, {"@0001f", std::chrono::seconds(30)});
  CHECK(has(spec, "NOTIFY_SOCKET=@0001f"));
  CHECK(has(spec, "WATCHDOG_USEC=30000000"));
  const os::SpawnSpec calm = child_spec(settings(), spawn_of(Role::worker), {}, {"@0001f", {}});
  CHECK(has(calm, "NOTIFY_SOCKET=@0001f"));
  CHECK_FALSE(has_any(calm, "WATCHDOG_USEC"));
}

}  // namespace clusterd::runtime
