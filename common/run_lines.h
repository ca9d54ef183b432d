#pragma once

#include "common/error.h"
#include "common/json.h"

#include <cstddef>
#include <string>

/// Lines about the runs of schedules, on the channel between the master and any child that is a
/// program; see protocol.h.
namespace clusterd::protocol {

inline constexpr std::size_t kLongestReason = 1024;

/// Of what a child gives as a reason, or as an error, the rest is cut off.
[[nodiscard]] std::string reason_of(std::string text);

/// From a child: "I tell the end of this schedule's runs." Without it the child gets a message for
/// each, as from any program.
struct Handles {
  std::string schedule;
  friend bool operator==(const Handles&, const Handles&) = default;
};
/// From a child: that run is over.
struct Ran {
  std::string run;
  std::string error;  ///< at most kLongestReason bytes; empty: it went well
  friend bool operator==(const Ran&, const Ran&) = default;
};
/// From the master: it is time. To be answered by Ran, by whoever said Handles.
struct RunNow {
  std::string run;
  std::string schedule;
  std::string data = "null";  ///< JSON, as app.conf has it
  friend bool operator==(const RunNow&, const RunNow&) = default;
};

/// With the newline.
[[nodiscard]] std::string encode(const Handles& message);
[[nodiscard]] std::string encode(const Ran& message);
[[nodiscard]] std::string encode(const RunNow& message);

/// Of a line with that act.
[[nodiscard]] Result<Handles> decode_handles(const CheckedJson& json);
[[nodiscard]] Result<Ran> decode_ran(const CheckedJson& json);
[[nodiscard]] Result<RunNow> decode_run_now(const CheckedJson& json);

}  // namespace clusterd::protocol
