#pragma once

#include "master/core/cluster.h"
#include "master/runtime/counters.h"
#include "master/runtime/dispatcher.h"
#include "master/runtime/generations.h"
#include "master/runtime/messenger.h"

#include <chrono>
#include <string>

namespace clusterd::runtime {

struct MetricsSource {
  const core::Cluster& cluster;
  const Dispatcher& dispatcher;
  const Generations& generations;
  const Counters& counters;  ///< as far as everything is now
  Messenger::Carried messages;
  std::chrono::system_clock::time_point started_at;
  TimePoint now;
};

/// Everything that /metrics shows, in the text format of Prometheus. Labels are slots, names of
/// listeners, and words of our own: their number does not grow with time.
[[nodiscard]] std::string metrics_page(const MetricsSource& source);

}  // namespace clusterd::runtime
