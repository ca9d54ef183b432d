#pragma once

#include <cstdio>
#include <string>

namespace clusterd::ctl {

/// "4d 3h", "2h 5m", "7m 3s", "12s": the two units that matter.
[[nodiscard]] inline std::string age(double seconds) {
  const auto total = static_cast<long>(seconds);
  const long days = total / 86400;
  const long hours = total / 3600 % 24;
  const long minutes = total / 60 % 60;
  char text[64];
  if (days > 0) {
    std::snprintf(text, sizeof text, "%ldd %ldh", days, hours);
  } else if (hours > 0) {
    std::snprintf(text, sizeof text, "%ldh %ldm", hours, minutes);
  } else if (minutes > 0) {
    std::snprintf(text, sizeof text, "%ldm %lds", minutes, total % 60);
  } else {
    std::snprintf(text, sizeof text, "%lds", total);
  }
  return text;
}

/// The same of less than two minutes: "3.2 s", "47 s".
[[nodiscard]] inline std::string text_of(double seconds) {
  if (seconds >= 120) return age(seconds);
  char text[32];
  std::snprintf(text, sizeof text, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
  return text;
}

}  // namespace clusterd::ctl
