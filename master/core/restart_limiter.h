#pragma once

#include "common/clock.h"

#include <cstdint>
#include <deque>

namespace clusterd::core {

/// Counts the deaths that nobody asked for, whatever the uptime before them: a worker that dies
/// after five seconds, over and over, is as broken as one that dies at once. So many within the
/// window are too many.
class RestartLimiter {
 public:
  /// `limit` is at least 1.
  RestartLimiter(std::uint32_t limit, Duration window) : limit_(limit), window_(window) {}

  /// Counts one. True if it is the one too many.
  [[nodiscard]] bool death(TimePoint now) {
    forget(now);
    // Those beyond the limit change nothing: the window is as full as it can be.
    if (deaths_.size() == limit_) deaths_.pop_front();
    deaths_.push_back(now);
    return deaths_.size() >= limit_;
  }

  /// Deaths within the window that ends now; never more than the limit.
  [[nodiscard]] std::uint32_t in_window(TimePoint now) const {
    std::uint32_t count = 0;
    for (const TimePoint death : deaths_) {
      if (now - death < window_) ++count;
    }
    return count;
  }
  [[nodiscard]] std::uint32_t limit() const { return limit_; }

  /// What was counted stays counted.
  void set(std::uint32_t limit, Duration window) {
    limit_ = limit;
    window_ = window;
    while (deaths_.size() > limit_) deaths_.pop_front();
  }

 private:
  void forget(TimePoint now) {
    while (!deaths_.empty() && now - deaths_.front() >= window_) deaths_.pop_front();
  }

  std::uint32_t limit_;
  Duration window_;
  std::deque<TimePoint> deaths_;  ///< oldest first
};

}  // namespace clusterd::core
