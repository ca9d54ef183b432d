#include "master/runtime/child_spec.h"

#include "common/environment.h"
#include "master/runtime/dialogue.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string_view>
#include <unistd.h>

namespace clusterd::runtime {
namespace {

constexpr std::array<std::string_view, 2> kExact{"NOTIFY_SOCKET", "NODE_UNIQUE_ID"};
constexpr std::array<std::string_view, 4> kPrefixes{"CLUSTERD_", "LISTEN_", "WATCHDOG_",
                                                    "NODE_CHANNEL_"};

bool is_masters_own(std::string_view key) {
  for (const std::string_view exact : kExact) {
    if (key == exact) return true;
  }
  for (const std::string_view prefix : kPrefixes) {
    if (key.starts_with(prefix)) return true;
  }
  return false;
}

/// Without WATCHDOG_PID, since the number is not known before the fork: the variable then holds for
/// whoever has it.
void set_notify(Environment& env, const NotifyEnvironment& notify) {
  if (notify.address.empty()) return;
  env["NOTIFY_SOCKET"] = notify.address;
  if (notify.watchdog == Duration::zero()) return;
  const auto usec = std::chrono::duration_cast<std::chrono::microseconds>(notify.watchdog);
  env["WATCHDOG_USEC"] = std::to_string(usec.count());
}

}  // namespace

Environment inherited_environment() {
  Environment result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || is_masters_own(text.substr(0, equals))) continue;
    result.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

namespace {

/// What the shell, the session or the service manager of the master's user left in the environment
/// for programs of that user.
constexpr std::array<std::string_view, 16> kOfUser{"CREDENTIALS_DIRECTORY",
                                                   "DBUS_SESSION_BUS_ADDRESS",
                                                   "GLIBC_TUNABLES",
                                                   "INVOCATION_ID",
                                                   "JOURNAL_STREAM",
                                                   "MAIL",
                                                   "OLDPWD",
                                                   "PWD",
                                                   "SHLVL",
                                                   "XAUTHORITY",
                                                   "XDG_RUNTIME_DIR",
                                                   "HOME",
                                                   "USER",
                                                   "LOGNAME",
                                                   "SHELL"};
constexpr std::array<std::string_view, 3> kOfUserPrefixes{"LD_", "SSH_", "SUDO_"};

bool is_of_user(std::string_view key) {
  return std::find(kOfUser.begin(), kOfUser.end(), key) != kOfUser.end() ||
         std::any_of(kOfUserPrefixes.begin(), kOfUserPrefixes.end(),
                     [&](std::string_view prefix) { return key.starts_with(prefix); });
}

/// For whom `user` is set: it runs as that user, with what such a one finds.
void change_user(os::SpawnSpec& spec, Environment& env, const config::Identity& user) {
  spec.identity = os::Identity{user.uid, user.gid, user.groups};
  std::erase_if(env, [](const auto& entry) { return is_of_user(entry.first); });
  env["USER"] = user.user;
  env["LOGNAME"] = user.user;
  if (!user.home.empty()) env["HOME"] = user.home;
  if (!user.shell.empty()) env["SHELL"] = user.shell;
}

std::vector<os::ResourceLimit> limits_of(const config::Worker& worker) {
  std::vector<os::ResourceLimit> limits;
  const auto add = [&](int resource, const std::optional<std::uint64_t>& value) {
    if (value) limits.push_back({resource, *value == config::kUnlimited ? RLIM_INFINITY : *value});
  };
  add(RLIMIT_NPROC, worker.nproc);
  add(RLIMIT_MEMLOCK, worker.memlock);
  add(RLIMIT_CORE, worker.core);
  return limits;
}

/// What makes a program of Node one with a master: Node takes these out of its environment again.
void set_node_channel(Environment& env, const core::Spawn& spawn, config::Protocol protocol) {
  if (protocol != config::Protocol::node && protocol != config::Protocol::node_fork) return;
  env["NODE_CHANNEL_FD"] = std::to_string(kChannelFd);
  env["NODE_CHANNEL_SERIALIZATION_MODE"] = "json";
  if (protocol == config::Protocol::node) {
    env["NODE_UNIQUE_ID"] = std::to_string(spawn.child.number);
  }
}

/// This very program, even if its file was replaced meanwhile.
void be_builtin_agent(os::SpawnSpec& spec, Environment& env, const config::Settings& settings) {
  if (settings.user) change_user(spec, env, *settings.user);
  spec.program = "/proc/self/exe";
  spec.argv = {std::string(kAgentTitle) + settings.name};
  // It needs no file of that folder, which its user might not be let into.
  if (settings.user) spec.directory = "/";
  env[kEnvRole] = "agent";
}

/// What app.conf says of a worker, or of the agent program.
void be_program(os::SpawnSpec& spec, Environment& env, const config::Worker& program,
                const std::optional<config::Identity>& user) {
  if (user) change_user(spec, env, *user);
  if (!program.cwd.empty()) spec.directory = program.cwd;
  spec.program = program.program;
  spec.argv = program.command;
  spec.batch = program.sched == config::Sched::batch;
  spec.umask = program.umask;
  spec.nice = program.nice;
  spec.limits = limits_of(program);
  if (program.nofile) spec.open_files = {*program.nofile, *program.nofile};
  for (const auto& [key, value] : program.env) env[key] = value;
}

void be_worker(os::SpawnSpec& spec, Environment& env, const config::Worker& worker,
               const core::Spawn& spawn) {
  if (const auto& cpus = worker.affinity.cpus; !cpus.empty()) {
    spec.cpu = cpus[number_of(spawn.slot) % cpus.size()];
  }
  env[kEnvRole] = "worker";
  env[kEnvSlot] = std::to_string(number_of(spawn.slot));
  env[kEnvWorkerId] = std::to_string(spawn.child.number);
  // It leaves when its channel ends, and one that drains may then finish what it has.
  spec.outlives_master = worker.protocol == config::Protocol::node;
}

}  // namespace

const config::Worker& program_of(const config::Settings& settings, Role role) {
  return role == Role::program ? settings.agent.program : settings.worker;
}

os::SpawnSpec child_spec(const config::Settings& settings, const core::Spawn& spawn,
                         const rlimit& open_files, const NotifyEnvironment& notify,
                         const std::vector<InheritedListener>& inherited) {
  Environment env = inherited_environment();
  os::SpawnSpec spec;
  spec.directory = settings.directory;
  spec.open_files = open_files;
  const config::Worker& program = program_of(settings, spawn.child.role);
  switch (spawn.child.role) {
    case Role::agent:
      be_builtin_agent(spec, env, settings);
      break;
    case Role::program:
      be_program(spec, env, program, settings.agent.user);
      env[kEnvRole] = "agent";
      break;
    case Role::worker:
      be_program(spec, env, program, settings.user);
      be_worker(spec, env, program, spawn);
      break;
  }
  env[kEnvGeneration] = std::to_string(number_of(spawn.generation));
  env[kEnvName] = settings.name;
  if (spawn.child.role != Role::agent) set_node_channel(env, spawn, program.protocol);
  if (spawn.child.role == Role::agent || has_channel(program.protocol)) {
    env[kEnvChannelFd] = std::to_string(kChannelFd);
  } else if (spawn.child.role == Role::worker) {
    inherit(spec, env, program, spawn, inherited);
  }
  set_notify(env, notify);
  for (const auto& [key, value] : env) spec.env.push_back(key + "=" + value);
  return spec;
}

os::SpawnSpec command_spec(const config::Settings& settings, const config::Schedule& schedule,
                           const std::string& run, const rlimit& open_files) {
  const config::Worker& worker = settings.worker;
  Environment env = inherited_environment();
  os::SpawnSpec spec;
  spec.program = schedule.command.front();
  spec.argv = schedule.command;
  spec.directory = worker.cwd.empty() ? settings.directory : worker.cwd;
  spec.open_files = open_files;
  if (worker.nofile) spec.open_files = {*worker.nofile, *worker.nofile};
  if (settings.user) change_user(spec, env, *settings.user);
  spec.umask = worker.umask;
  spec.nice = worker.nice;
  spec.limits = limits_of(worker);
  for (const auto& [key, value] : worker.env) env[key] = value;
  env[kEnvName] = settings.name;
  env[kEnvSchedule] = schedule.name;
  env[kEnvRun] = run;
  for (const auto& [key, value] : env) spec.env.push_back(key + "=" + value);
  return spec;
}

}  // namespace clusterd::runtime
