#pragma once

#include "master/core/cluster.h"

#include <utility>

namespace clusterd::core {

/// One event of a cluster on its way through its files.
struct Cluster::Step {
  TimePoint now;
  Actions actions;

  void note(Note note) { actions.emplace_back(std::move(note)); }
};

}  // namespace clusterd::core
