#pragma once

#include <chrono>
#include <string>

/// Times as our logs and answers write them.
namespace clusterd {

/// "2026-11-22 23:50:00.123", in local time.
[[nodiscard]] std::string local_time(std::chrono::system_clock::time_point when);

/// "2026-11-22T22:50:00.123Z"
[[nodiscard]] std::string utc_time(std::chrono::system_clock::time_point when);

}  // namespace clusterd
