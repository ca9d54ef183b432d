#pragma once

#include <chrono>

namespace clusterd {

/// Monotonic: a set clock or a leap second never restarts, times out or wakes anything.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

}  // namespace clusterd
