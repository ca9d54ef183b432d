#pragma once

#include "common/log.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace clusterd::runtime {

/// What goes in front of each line that a worker prints, in the columns of the master's own lines:
///
///     2026-11-22 23:50:00.123 stderr  worker-0[4711] no database
///
/// Nothing that a worker prints can look like another's line or the master's: its lines begin with
/// who it is, and control characters, but for tabs, are escaped.
class OutputFrame {
 public:
  OutputFrame(std::uint32_t slot, std::int64_t pid)
      : who_("worker-" + std::to_string(slot) + '[' + std::to_string(pid) + "] ") {}

  /// `lines` are whole lines. All of them were printed at `when`.
  [[nodiscard]] std::string around(log::Stream stream, std::string_view lines,
                                   std::chrono::system_clock::time_point when) const;

 private:
  std::string who_;
};

/// Gives what a child prints to the log, in a frame or as it is.
[[nodiscard]] std::function<void(log::Stream, std::string_view)> to_log(
    std::optional<OutputFrame> frame);

}  // namespace clusterd::runtime
