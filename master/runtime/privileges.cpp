#include "master/runtime/privileges.h"

#include "config/words.h"
#include "master/os/become.h"
#include "master/os/capabilities.h"
#include "master/os/listener.h"
#include "master/os/unix_listener.h"

#include <algorithm>
#include <fcntl.h>
#include <linux/capability.h>
#include <optional>
#include <unistd.h>
#include <vector>

namespace clusterd::runtime {
namespace {

using os::Capabilities;
using os::capability;

constexpr Capabilities kAlways = capability(CAP_NET_BIND_SERVICE) | capability(CAP_SETUID) |
                                 capability(CAP_SETGID) | capability(CAP_KILL);
constexpr Capabilities kRead = capability(CAP_DAC_READ_SEARCH);
constexpr Capabilities kWrite = kRead | capability(CAP_DAC_OVERRIDE);

struct Need {
  Capabilities capabilities = 0;
  std::string reason;
};

struct Path {
  std::string path;
  int mode = 0;  // of faccessat(2)
};

std::vector<const config::Worker*> programs_of(const config::Settings& settings) {
  std::vector<const config::Worker*> programs{&settings.worker};
  if (settings.agent.is_set()) programs.push_back(&settings.agent.program);
  return programs;
}

/// What a reload reads, and where files of the master's own come and go.
std::vector<Path> paths_of(const config::Settings& settings) {
  std::vector<Path> paths = {{settings.file, R_OK},
                             {os::folder_of(settings.control.socket), W_OK | X_OK}};
  for (const config::Worker* program : programs_of(settings)) {
    paths.push_back({program->program, X_OK});
    paths.push_back({program->cwd, X_OK});
    for (const std::string& file : program->env_files) paths.push_back({file, R_OK});
  }
  for (const auto& [event, argv] : settings.hooks) {
    if (!argv.empty()) paths.push_back({argv.front(), X_OK});
  }
  for (const config::Schedule& schedule : settings.schedules) {
    if (!schedule.command.empty()) paths.push_back({schedule.command.front(), X_OK});
  }
  const auto comes_and_goes = [&](const std::string& path) {
    if (!path.empty()) paths.push_back({os::folder_of(path), W_OK | X_OK});
  };
  for (const config::Listen& listen : settings.listen) {
    if (listen.kind == config::Listen::Kind::unix_socket) comes_and_goes(listen.path);
  }
  if (settings.http.at) comes_and_goes(settings.http.at->path);
  comes_and_goes(settings.pidfile);
  // One that is rotated is the agent's, and it has no such right.
  if (!settings.log.file.empty() && !settings.log.rules.rotates()) {
    comes_and_goes(settings.log.file);
    paths.push_back({settings.log.file, W_OK});
  }
  return paths;
}

bool is_open(const Path& path) {
  return ::faccessat(AT_FDCWD, path.path.c_str(), path.mode, AT_EACCESS) == 0;
}

std::optional<std::string> first_closed(const std::vector<Path>& paths, Capabilities without) {
  const os::WithoutCapabilities trial(without);
  const auto closed = std::find_if_not(paths.begin(), paths.end(), is_open);
  if (closed == paths.end()) return std::nullopt;
  return closed->path;
}

/// Root may lack the right to what is another user's; whether it does is found by trying.
std::optional<Need> need_for_files(const config::Settings& settings) {
  std::vector<Path> paths = paths_of(settings);
  // What is not open even now is not to be had by any of it.
  std::erase_if(paths, [](const Path& each) { return !is_open(each); });
  const auto unread = first_closed(paths, kWrite);
  if (!unread) return std::nullopt;
  const auto unwritten = first_closed(paths, capability(CAP_DAC_OVERRIDE));
  if (unwritten) return Need{kWrite, config::escaped(*unwritten) + " is not open to its user"};
  return Need{kRead, config::escaped(*unread) + " is not open to its user"};
}

bool more_than(const std::optional<std::uint64_t>& wanted, __rlimit_resource resource) {
  rlimit now{};
  if (!wanted || ::getrlimit(resource, &now) != 0) return false;
  return *wanted > now.rlim_max;
}

/// Older kernels let anybody do it; whether this one does is found by trying.
std::optional<Need> need_for_filters(const config::Settings& settings) {
  const auto is_tcp = [](const config::Listen& listen) {
    return listen.kind == config::Listen::Kind::tcp;
  };
  if (std::none_of(settings.listen.begin(), settings.listen.end(), is_tcp)) return std::nullopt;
  constexpr Capabilities kFilter = capability(CAP_NET_ADMIN);
  const auto may = [](Capabilities without) {
    const os::WithoutCapabilities trial(without);
    return os::may_refuse_new();
  };
  if (may(kFilter) || !may(0)) return std::nullopt;
  return Need{kFilter, "this kernel wants it of who keeps new clients from a listener that closes"};
}

/// Of a worker, or of the agent program.
void add_needs(const config::Worker& program, const rlimit& open_files, std::vector<Need>& needs) {
  if ((program.nofile && *program.nofile > open_files.rlim_max) ||
      more_than(program.nproc, RLIMIT_NPROC) || more_than(program.memlock, RLIMIT_MEMLOCK) ||
      more_than(program.core, RLIMIT_CORE)) {
    needs.push_back({capability(CAP_SYS_RESOURCE), "workers have higher limits than clusterd"});
  }
  if (program.nice && *program.nice < ::getpriority(PRIO_PROCESS, 0)) {
    needs.push_back({capability(CAP_SYS_NICE), "worker.nice is less than clusterd's"});
  }
}

std::vector<Need> needs_of(const config::Settings& settings, const rlimit& open_files) {
  std::vector<Need> needs;
  const auto gives_away = [](const config::Listen& listen) {
    return !listen.owner.empty() || !listen.group.empty();
  };
  if (std::any_of(settings.listen.begin(), settings.listen.end(), gives_away)) {
    needs.push_back({capability(CAP_CHOWN) | capability(CAP_FOWNER),
                     "a listener's socket is given to another user or group"});
  }
  for (const config::Worker* program : programs_of(settings))
    add_needs(*program, open_files, needs);
  if (auto filters = need_for_filters(settings)) needs.push_back(std::move(*filters));
  if (auto files = need_for_files(settings)) needs.push_back(std::move(*files));
  return needs;
}

bool is_itself(const config::Identity& user) {
  if (user.uid != ::geteuid() || user.gid != ::getegid()) return false;
  return os::has_groups_of({user.uid, user.gid, user.groups});
}

}  // namespace

Result<void> may_change_user(const config::Settings& settings) {
  constexpr Capabilities kChange = capability(CAP_SETUID) | capability(CAP_SETGID);
  if ((os::effective_capabilities() & kChange) == kChange) return {};
  for (const auto* user :
       {&settings.user, settings.agent.is_set() ? &settings.agent.user : nullptr}) {
    if (user == nullptr || !*user || is_itself(**user)) continue;
    return Error{std::make_error_code(std::errc::operation_not_permitted),
                 "run workers as " + config::escaped((*user)->user) +
                     ": clusterd has to be started as root for that"};
  }
  return {};
}

Result<std::string> give_up_privileges(const config::Settings& settings, const rlimit& open_files) {
  const Capabilities had = os::effective_capabilities();
  if (had == 0) return std::string();
  Capabilities keep = kAlways;
  std::string why;
  for (const Need& need : needs_of(settings, open_files)) {
    keep |= need.capabilities;
    if ((had & need.capabilities) == 0) continue;
    why += "; " + os::names_of(had & need.capabilities) + ", since " + need.reason;
  }
  if (auto kept = os::keep_capabilities(keep); !kept) return kept.error();
  return os::names_of(had & kAlways) + why;
}

}  // namespace clusterd::runtime
