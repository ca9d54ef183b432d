#pragma once

#include "common/log.h"
#include "common/log_line.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace clusterd::runtime {

/// What goes in front of each line that a worker prints, in the columns of the master's own lines:
///
///     2026-11-22 23:50:00.123 stderr  worker-0[4711] no database
///
/// Nothing that a worker prints can look like another's line or the master's: its lines begin with
/// who it is, and control characters, but for tabs, are escaped.
///
/// Where the log is JSON, each line becomes an object instead.
class OutputFrame {
 public:
  OutputFrame(std::uint32_t slot, std::int64_t pid)
      : OutputFrame(LogOrigin{LogOrigin::Kind::worker, slot, pid}) {}
  explicit OutputFrame(const LogOrigin& origin)
      : origin_(origin), who_(" " + name_of(origin) + '[' + std::to_string(origin.pid) + "] ") {}

  /// `lines` are whole lines. All of them were printed at `when`.
  [[nodiscard]] std::string around(log::Stream stream, std::string_view lines,
                                   std::chrono::system_clock::time_point when,
                                   log::Format format = log::Format::text) const;

 private:
  LogOrigin origin_;
  std::string who_;
};

/// Which lines get a frame: a log that is JSON has it around all of them.
enum class Framed : std::uint8_t { never, in_json, always };

class LogTail;

/// Gives what a child prints to the log, and to who reads its last lines.
[[nodiscard]] std::function<void(log::Stream, std::string_view)> to_log(const LogOrigin& origin,
                                                                        Framed framed,
                                                                        LogTail& tail);

}  // namespace clusterd::runtime
