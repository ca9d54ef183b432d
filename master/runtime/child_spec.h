#pragma once

#include "config/settings.h"
#include "master/core/cluster.h"
#include "master/os/spawn.h"
#include "master/runtime/inherited.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace clusterd::runtime {

/// The master's environment without what is the master's alone (its own NOTIFY_SOCKET, WATCHDOG_*,
/// LISTEN_*, and any CLUSTERD_* or NODE_* channel of a master around it).
[[nodiscard]] Environment inherited_environment();

/// The settings of the process of a child that is not this very program.
[[nodiscard]] const config::Worker& program_of(const config::Settings& settings, Role role);

/// How a child may speak to the master by sd_notify(3).
struct NotifyEnvironment {
  std::string address;  ///< NOTIFY_SOCKET; empty: it may not
  Duration watchdog{};  ///< WATCHDOG_USEC; 0: nobody waits for WATCHDOG=1
};

/// What the fork of a child needs: program, arguments and the complete environment, which begins
/// with what the child inherits.
[[nodiscard]] os::SpawnSpec child_spec(const config::Settings& settings, const core::Spawn& spawn,
                                       const rlimit& open_files,
                                       const NotifyEnvironment& notify = {},
                                       const std::vector<InheritedListener>& inherited = {});

/// The same for the program of a schedule, which finds what a worker would but for what is of a
/// slot.
[[nodiscard]] os::SpawnSpec command_spec(const config::Settings& settings,
                                         const config::Schedule& schedule, const std::string& run,
                                         const rlimit& open_files);

}  // namespace clusterd::runtime
