#pragma once

#include "config/settings.h"
#include "master/core/cluster.h"
#include "master/runtime/dispatcher.h"
#include "master/runtime/generations.h"
#include "master/runtime/messenger.h"

#include <map>
#include <string>
#include <vector>

namespace clusterd::runtime {

/// Everything that `clusterd status --json` shows, as one JSON object.
struct StatusSource {
  const config::Settings& settings;
  const core::Cluster& cluster;
  const Dispatcher& dispatcher;
  const Generations& generations;
  Messenger::Carried messages{};
  Generation in_force{};  ///< whose settings hold
  std::map<ChildId, pid_t> pids{};
  std::map<ChildId, std::string> words{};  ///< what a child last said of itself, with STATUS=
  TimePoint started_at;
  std::string http{};       ///< where the agent serves [http]; empty: nowhere
  std::string log_error{};  ///< why the agent cannot write the log
  TimePoint now;
};

[[nodiscard]] std::string status_report(const StatusSource& source);

}  // namespace clusterd::runtime
