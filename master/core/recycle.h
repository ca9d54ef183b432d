#pragma once

#include "common/clock.h"

#include <cstdint>
#include <optional>
#include <string>

namespace clusterd::core {

/// When a worker is to be replaced though nothing is wrong with it. 0 = no limit.
struct RecycleLimits {
  std::uint64_t requests = 0;
  Duration lifetime{};
  std::uint64_t memory = 0;  ///< bytes resident
  double jitter = 0;         ///< up to so much more, as a part of each limit: 0.1 is a tenth
};

/// What is known of a worker now.
struct RecycleSample {
  std::uint64_t requests = 0;           ///< its claim
  std::optional<std::uint64_t> memory;  ///< empty if it could not be read
};

/// The limits of one worker: those of all, raised by its own share of the jitter, so that workers
/// that were started together are not due together. A jitter without a limit is no limit.
class RecycleRule {
 public:
  /// `share` is in [0, 1), drawn once at the worker's birth; see share_of().
  RecycleRule(const RecycleLimits& limits, double share);

  /// Some limit is set.
  [[nodiscard]] bool any() const;
  /// The memory need be looked at only then.
  [[nodiscard]] bool limits_memory() const { return limits_.memory > 0; }

  /// Why it is to be recycled, as a person reads it ("it is 2.1 h old (recycle.lifetime 2.0 h)");
  /// nothing if it is not.
  [[nodiscard]] std::optional<std::string> due(const RecycleSample& sample, Duration age) const;

 private:
  [[nodiscard]] bool reached(double value, double limit) const {
    return limit > 0 && value >= limit * factor_;
  }

  RecycleLimits limits_;
  double factor_;
};

/// A random number as a share in [0, 1).
[[nodiscard]] double share_of(std::uint64_t random);

}  // namespace clusterd::core
