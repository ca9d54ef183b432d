#include "master/runtime/service_status.h"

#include "master/runtime/describe.h"

#include <algorithm>

namespace clusterd::runtime {
namespace {

using core::ChildState;
using core::ClusterState;

std::string workers(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " worker" : " workers");
}

/// Of slots whose worker fits, out of all.
template <typename Fits>
std::string share(const core::Cluster& cluster, const Fits& fits) {
  const auto count =
      std::count_if(cluster.slots().begin(), cluster.slots().end(), [&](const core::SlotFsm& slot) {
        return slot.incumbent() && fits(cluster.children().at(*slot.incumbent()));
      });
  return std::to_string(count) + " of " + workers(cluster.slots().size());
}

std::string ready(const core::Cluster& cluster) {
  return share(cluster,
               [](const core::Cluster::Child& child) {
                 return child.fsm.state() == ChildState::ready;
               }) +
         " ready";
}

/// What the last one died of in a slot that is not filled any more.
std::string giveup(const core::Cluster& cluster) {
  for (std::uint32_t number = 0; number < cluster.slots().size(); ++number) {
    if (cluster.slots()[number].state() != core::SlotState::given_up) continue;
    const auto& last = cluster.last_exit(SlotId{number});
    return ", given up" + (last ? ": the last one " + describe(last->status, last->why) : "");
  }
  return "";
}

std::string running(const core::Cluster& cluster) {
  if (const auto& rollout = cluster.rollout()) {
    const std::string replaced = share(cluster, [&](const core::Cluster::Child& child) {
      return child.generation == rollout->to;
    });
    return "reloading: " + replaced + " replaced, " + ready(cluster);
  }
  const bool agent = cluster.at_strength(Role::agent);
  const bool program = cluster.at_strength(Role::program);
  const bool whole = agent && program && cluster.at_strength(Role::worker);
  return (whole ? "running: " : "degraded: ") + ready(cluster) + (agent ? "" : ", no agent") +
         (program ? "" : ", no agent program") + giveup(cluster);
}

std::string stopping(const core::Cluster& cluster) {
  const auto left =
      std::count_if(cluster.children().begin(), cluster.children().end(),
                    [](const auto& entry) { return entry.first.role == Role::worker; });
  if (left == 0) return "stopping: the agent ends";
  return "stopping: " + workers(static_cast<std::size_t>(left)) +
         (left == 1 ? " finishes what it holds" : " finish what they hold");
}

}  // namespace

std::string service_status(const core::Cluster& cluster) {
  switch (cluster.state()) {
    case ClusterState::idle:
      return "starting";
    case ClusterState::starting:
      return "starting: " + ready(cluster);
    case ClusterState::running:
      return running(cluster);
    case ClusterState::delaying:
      return "stopping soon: " + ready(cluster);
    case ClusterState::stopping:
      return stopping(cluster);
    case ClusterState::finished:
      break;
  }
  return "stopped";
}

}  // namespace clusterd::runtime
