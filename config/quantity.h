#pragma once

#include "common/clock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace clusterd::config {

/// No duration in app.conf is longer.
inline constexpr std::chrono::days kLongest{30};

/// No number of bytes in app.conf is larger: 1 PiB.
inline constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 50U;

/// "100ms", "5s", "10m", "2h", "1d", and "0". One that is too long to count is longer than any
/// that is allowed.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

/// "512MiB", "300M", "1048576": K, M, G and T are KiB, MiB, GiB and TiB, as systemd has it. One
/// that is too large to count is larger than any that is allowed.
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text);

/// Each in the largest unit in which it is a whole number: "90s", "1h", "0s"; "1536KiB", "0".
[[nodiscard]] std::string duration_text(Duration duration);
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

/// Permissions, as "0660".
[[nodiscard]] std::string octal_text(unsigned mode);

}  // namespace clusterd::config
