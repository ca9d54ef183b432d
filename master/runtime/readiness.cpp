#include "master/runtime/readiness.h"

#include <cstddef>

namespace clusterd::runtime {

Readiness readiness(const core::Cluster& cluster) {
  using core::ClusterState;
  const std::size_t wanted = cluster.slots().size();
  const std::size_t ready = cluster.ready();
  const std::string count =
      std::to_string(ready) + " of " + std::to_string(wanted) + " workers are ready";
  switch (cluster.state()) {
    case ClusterState::idle:
    case ClusterState::starting:
      return {false, "the cluster starts: " + count};
    case ClusterState::running:
      break;
    case ClusterState::delaying:
      return {false, "the cluster is about to stop"};
    case ClusterState::stopping:
    case ClusterState::finished:
      return {false, "the cluster stops"};
  }
  if (cluster.pool(Role::worker).gave_up) {
    return {ready > 0 && 2 * ready >= wanted, count + ", and the cluster has given up"};
  }
  return {ready > 0, count};
}

}  // namespace clusterd::runtime
