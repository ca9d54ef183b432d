#pragma once

#include "master/core/plan.h"

#include <chrono>
#include <cstdint>

namespace clusterd::testing {

/// What clusters under virtual time are to be: deadlines are those of a real one, delays are short.
[[nodiscard]] inline core::Plan plan_for(std::uint32_t workers) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  core::Plan plan;
  plan.workers = workers;
  plan.worker = {seconds(10), seconds(5), seconds(3)};
  plan.agent = {seconds(10), seconds(2), seconds(2)};
  plan.program_timeouts = {seconds(8), seconds(4), seconds(1)};
  plan.backoff_first = milliseconds(100);
  plan.backoff_max = milliseconds(800);
  return plan;
}

}  // namespace clusterd::testing
