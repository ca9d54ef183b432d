#pragma once

#include "common/clock.h"

#include <algorithm>

namespace clusterd::core {

/// How long a slot stays empty after an unplanned death: not at all the first time, so that one
/// crash costs a few milliseconds of capacity, then `first`, doubling up to `max` while deaths go
/// on. A life that was ready for at least `max` ends the series: what it died of is a new cause.
class RestartDelay {
 public:
  RestartDelay(Duration first, Duration max) : first_(first), max_(max) {}

  /// The delay before the next start; `ready_for` is how long the dead one had been ready. `spread`
  /// (0 to 1) makes it up to a quarter longer: those that died together do not start together.
  [[nodiscard]] Duration next(Duration ready_for, double spread = 0) {
    if (ready_for >= max_) deaths_ = 0;
    if (deaths_++ == 0) return Duration::zero();
    Duration delay = first_;
    for (unsigned death = 2; death < deaths_ && delay < max_; ++death) delay *= 2;
    delay = std::min(max_, delay);
    return delay + std::chrono::duration_cast<Duration>(delay * (spread / 4));
  }

  /// Other delays from the next death on; the series goes on.
  void set(Duration first, Duration max) {
    first_ = first;
    max_ = max;
  }

  /// Deaths in the current series.
  [[nodiscard]] unsigned deaths() const { return deaths_; }

 private:
  Duration first_;
  Duration max_;
  unsigned deaths_ = 0;
};

}  // namespace clusterd::core
