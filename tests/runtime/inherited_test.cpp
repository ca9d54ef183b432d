#include "master/runtime/inherited.h"

#include "master/runtime/child_spec.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

namespace clusterd::runtime {
namespace {

config::Settings settings_of(config::Protocol protocol) {
  config::Settings settings;
  settings.name = "shop";
  settings.directory = "/srv/shop";
  settings.worker.command = {"web", "--fd={fd:local}", "{address:http}", "{slot}"};
  settings.worker.program = "/usr/bin/web";
  settings.worker.protocol = protocol;
  settings.worker.env = {{"A", "{port:http} {worker} {x}"}};
  settings.worker.drain_signal = SIGQUIT;
  return settings;
}

const std::vector<InheritedListener> kTwo = {{"127.0.0.1:0", 70, "127.0.0.1:8080", "8080"},
                                             {"local", 71, "/run/x", ""}};

core::Spawn worker() { return {{Role::worker, 9}, SlotId{2}, Generation{3}}; }

bool has(const os::SpawnSpec& spec, const std::string& entry) {
  return std::count(spec.env.begin(), spec.env.end(), entry) > 0;
}
bool has_any(const os::SpawnSpec& spec, const std::string& name) {
  return std::any_of(spec.env.begin(), spec.env.end(),
                     [&](const std::string& entry) { return entry.starts_with(name + "="); });
}

}  // namespace

TEST_CASE("a child without a channel has its listeners from 3 on, told of as systemd does") {
  auto inherited = kTwo;
  config::Settings settings = settings_of(config::Protocol::listen_fds);
  settings.worker.stdin_listener = "local";
  settings.worker.command[2] = "{address:127.0.0.1:0}";
  settings.worker.env["A"] = "{port:127.0.0.1:0} {worker} {x}";
  const os::SpawnSpec spec = child_spec(settings, worker(), {}, {}, inherited);
  CHECK(spec.inherited == std::vector<int>{70, 71});
  CHECK(spec.input == 71);
  CHECK(spec.pid_variable == "LISTEN_PID");
  CHECK(has(spec, "LISTEN_FDS=2"));
  CHECK(has(spec, "LISTEN_FDNAMES=127.0.0.1_0:local"));
  CHECK(spec.argv == std::vector<std::string>{"web", "--fd=4", "127.0.0.1:8080", "2"});
  CHECK(has(spec, "A=8080 9 {x}"));
  CHECK(spec.death_signal == SIGQUIT);
  CHECK_FALSE(has_any(spec, "CLUSTERD_CHANNEL_FD"));
  CHECK(has(spec, "CLUSTERD_SLOT=2"));
}

TEST_CASE("a program without sockets has none, and is told of none") {
  config::Settings settings = settings_of(config::Protocol::none);
  settings.worker.command = {"web", "{slot}"};
  const os::SpawnSpec spec = child_spec(settings, worker(), {});
  CHECK(spec.inherited.empty());
  CHECK(spec.input == -1);
  CHECK(spec.pid_variable.empty());
  CHECK_FALSE(has_any(spec, "LISTEN_FDS"));
  CHECK_FALSE(has_any(spec, "CLUSTERD_CHANNEL_FD"));
  CHECK(spec.argv == std::vector<std::string>{"web", "2"});
}

TEST_CASE("a child with a channel has no templates, and the agent keeps its channel") {
  const os::SpawnSpec native =
      child_spec(settings_of(config::Protocol::native), worker(), {}, {}, kTwo);
  CHECK(native.argv[3] == "{slot}");
  CHECK(native.inherited.empty());
  CHECK(native.death_signal == SIGTERM);
  const os::SpawnSpec agent = child_spec(settings_of(config::Protocol::listen_fds),
                                         {{Role::agent, 1}, SlotId{}, Generation{1}}, {});
  CHECK(has(agent, "CLUSTERD_CHANNEL_FD=3"));
  CHECK(agent.death_signal == SIGTERM);
}

}  // namespace clusterd::runtime
