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

  /// The delay before the next start; `ready_for` is how long the dead one had been ready.
  [[nodiscard]] Duration next(Duration ready_for) {
    if (ready_for >= max_) deaths_ = 0;
    const unsigned doublings = std::min(deaths_, kMostDoublings);
    ++deaths_;
    if (doublings == 0) return Duration::zero();
    return std::min(max_, first_ * (1U << (doublings - 1)));
  }

  /// Deaths in the current series.
  [[nodiscard]] unsigned deaths() const { return deaths_; }

 private:
  static constexpr unsigned kMostDoublings = 24;  // 100 ms * 2^23 is over nine days: any sane max

  Duration first_;
  Duration max_;
  unsigned deaths_ = 0;
};

}  // namespace clusterd::core
