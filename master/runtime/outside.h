#pragma once

#include "common/error.h"
#include "master/os/from_manager.h"
#include "master/os/listener.h"
#include "master/os/unix_listener.h"
#include "master/runtime/log_service.h"

#include <functional>
#include <optional>
#include <sys/resource.h>
#include <vector>

/// What surrounds a cluster that runs.
namespace clusterd::runtime {

/// What a master has got before its cluster starts, and what may fail there.
struct Resources {
  std::vector<os::Listener> listeners;
  std::optional<os::Listener> http;  ///< of [http]
  os::UnixListener control;
  rlimit open_files{};  ///< before the master raised its own: what children get
  os::FromManager manager{};
  std::optional<LogSink> log{};  ///< if the agent writes the log's file
};

/// What a master is to those that its runtime does not know.
struct Outside {
  std::function<void()> all_ready{};           ///< called once, when the cluster runs
  std::function<Result<void>()> reopen_log{};  ///< empty: there is no file
};

}  // namespace clusterd::runtime
