#pragma once

#include <cstdint>

namespace clusterd {

/// When the file of a log is followed by a new one, and what becomes of the old ones.
struct LogRules {
  enum class Every : std::uint8_t { never, day, hour, size };
  static constexpr std::uint64_t kUsualTotal = std::uint64_t{1} << 30U;

  Every every = Every::never;
  std::uint64_t size = 0;                 ///< of Every::size: when it has grown to this
  std::uint32_t keep = 31;                ///< old ones that stay; the oldest go first
  bool gzip = true;                       ///< old ones are compressed
  std::uint64_t max_total = kUsualTotal;  ///< of it and all old ones together; 0: no bound

  [[nodiscard]] bool rotates() const { return every != Every::never; }
  friend bool operator==(const LogRules&, const LogRules&) = default;
};

}  // namespace clusterd
