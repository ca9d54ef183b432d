#pragma once

#include "common/ids.h"
#include "master/core/plan.h"

namespace clusterd::core {

/// A new generation on its way to replace the one before, slot by slot. Its first workers are on
/// trial, while those before them serve on: only when they have stayed ready for `settle` does
/// anybody leave. One that dies on its trial ends the rollout, whenever that is, and all slots go
/// back to what was before.
struct Rollout {
  Generation from{};
  Generation to{};
  Plan before;
  TimePoint began;
  bool proved = false;  ///< its first workers have passed
};

}  // namespace clusterd::core
