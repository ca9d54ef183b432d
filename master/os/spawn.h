#pragma once

#include "common/error.h"
#include "common/unique_fd.h"
#include "master/os/identity.h"

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <vector>

namespace clusterd::os {

struct ResourceLimit {
  int resource = 0;  ///< RLIMIT_...
  rlim_t value = 0;  ///< soft and hard
};

struct SpawnSpec {
  std::string program;            ///< absolute path
  std::vector<std::string> argv;  ///< with argv[0]
  std::vector<std::string> env;   ///< "KEY=value", complete
  std::string directory;          ///< the child's working directory
  int channel = -1;               ///< becomes kChannelFd in the child; below 0: it has none
  rlimit open_files{};            ///< the child's RLIMIT_NOFILE
  bool batch = false;             ///< SCHED_BATCH instead of the default policy
  std::optional<mode_t> umask{};  ///< empty: as ours, like nice
  std::optional<int> nice{};
  std::vector<ResourceLimit> limits{};  ///< beside open_files
  std::optional<unsigned> cpu{};        ///< the only one to run on; empty: all of ours
  std::optional<Identity> identity{};   ///< empty: who we are
  int input = -1;                       ///< becomes stdin; below 0: /dev/null
  int output = -1;                      ///< becomes stdout; below 0: the master's, like error
  int error = -1;                       ///< becomes stderr
  bool outlives_master = false;         ///< gets no signal when the master dies
  int death_signal = SIGTERM;           ///< the signal that it gets else
  /// A variable that holds the child's own number, which nobody knows before the fork.
  std::string pid_variable{};
  std::vector<int> inherited{};  ///< become the numbers after the channel's, or from its on
  bool ignores_sigpipe = false;  ///< for one that may still print when nobody reads it any more
};

/// What fork left in the parent.
struct Spawned {
  pid_t pid = -1;
  UniqueFd pidfd;
  /// Ends empty when exec succeeded; otherwise carries an ExecFailure. Never blocks.
  UniqueFd failure;
};

/// Written by a child that could not exec.
struct ExecFailure {
  enum class Stage : std::uint8_t {
    parent_gone,
    process_group,
    directory,
    descriptors,
    nice,
    affinity,
    open_files,
    processes,
    locked_memory,
    core_file,
    groups,
    group,
    user,
    no_way_back,
    no_new_privileges,
    exec
  };
  Stage stage{};
  int error = 0;  ///< errno

  /// "exec", "change directory", ...
  [[nodiscard]] static const char* name(Stage stage);
};

/// Forks and execs; the only fork in the master. The child has a process group of its own, default
/// signal handlers (see ignores_sigpipe), an empty signal mask, the descriptors of the spec (which
/// stay the caller's and may be any numbers, the same one twice too), and no other. It gets
/// `death_signal` if the master dies before the child says hello (the worker library then takes
/// that off: it finishes what it holds instead), unless it may outlive the master, as the program
/// of a hook may. An error here means that there is no child; a failure of exec comes through
/// `failure`.
[[nodiscard]] Result<Spawned> spawn(const SpawnSpec& spec);

}  // namespace clusterd::os
