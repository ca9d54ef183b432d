#pragma once

#include "master/core/cluster.h"

#include <string>

namespace clusterd::runtime {

/// Whether new clients are to be sent here, and why, in words.
struct Readiness {
  bool ready = false;
  std::string reason;
};

/// From when all workers have been ready for the first time until a stop begins, while somebody is
/// ready. One worker is enough while the others are on their way: a restart or a scale is nothing
/// that a balancer could cure. Of a pool that has given up it has to be half, since the rest does
/// not come back by itself.
[[nodiscard]] Readiness readiness(const core::Cluster& cluster);

}  // namespace clusterd::runtime
