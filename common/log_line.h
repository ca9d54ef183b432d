#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace clusterd {

/// Who said a line of the log.
struct LogOrigin {
  enum class Kind : std::uint8_t { master, agent, program, schedule, worker };
  Kind kind = Kind::master;
  std::uint32_t slot = 0;  ///< a worker's
  std::int64_t pid = 0;
  std::string name = {};  ///< a schedule's, whose command it is

  friend bool operator==(const LogOrigin&, const LogOrigin&) = default;
};

/// "master", "agent", "program" (the agent program), "schedule-tidy", "worker-3"
[[nodiscard]] std::string name_of(const LogOrigin& origin);

/// What a line is: how important, or where it was printed. Words that last.
struct LogLabel {
  std::string_view word;  ///< "info", "stderr", ...
  bool is_stream = false;
};

/// The line as one JSON object, without a newline:
///
///     {"time":"2026-11-22T22:50:00.123Z","from":"worker","slot":3,"pid":4711,"stream":"stderr",
///      "text":"no database"}
[[nodiscard]] std::string log_line_json(std::chrono::system_clock::time_point when,
                                        const LogOrigin& origin, LogLabel label,
                                        std::string_view text);

}  // namespace clusterd
