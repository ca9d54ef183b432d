#pragma once

#include "common/clock.h"
#include "config/cron.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace clusterd::config {

inline constexpr std::size_t kMostSchedules = 256;
/// Of the data that goes with a message: with all around it, it must fit into a line.
inline constexpr std::size_t kMostScheduleData = 16 * 1024;

/// [[schedule]]: something that is to be done again and again.
struct Schedule {
  enum class Target : std::uint8_t {
    one,      ///< one worker that is ready, in turn
    all,      ///< every worker that is ready
    agent,    ///< the agent program
    command,  ///< a program that is run for it
  };
  /// What becomes of a run whose time has come while the one before is not over.
  enum class Overlap : std::uint8_t {
    skip,   ///< it is left out
    queue,  ///< one waits for the other's end
    allow,  ///< they run side by side
  };

  std::string name;
  Duration every{};            ///< zero: by `cron`
  std::optional<Cron> cron{};  ///< empty: by `every`
  std::string cron_text{};     ///< as written
  Target target = Target::one;
  std::string action{};       ///< of the message; default: the name
  std::string data = "null";  ///< of the message: JSON on one line
  bool immediate = false;     ///< once at the beginning, too
  Overlap overlap = Overlap::skip;
  Duration timeout = std::chrono::minutes(5);  ///< then a run has failed; zero: never
  /// Of Target::command: its arguments; the first is the absolute path of the executable file.
  std::vector<std::string> command{};

  friend bool operator==(const Schedule&, const Schedule&) = default;
};

}  // namespace clusterd::config
