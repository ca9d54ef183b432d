#pragma once

#include "common/clock.h"
#include "common/ids.h"
#include "config/schedule_settings.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What goes into the machine of the schedules, and what comes out.
namespace clusterd::core::schedule {

/// One run of one schedule; never used again by this master. 0 is none.
enum class RunId : std::uint64_t {};
using Settings = std::shared_ptr<const config::Schedule>;

// What happens.

/// Every child is ready for the first time: the schedules begin.
struct Begin {};
/// It may be time for something.
struct TimePassed {};
/// The wall clock was set, or the machine was asleep.
struct ClockSet {};
/// A child that can be sent messages is ready; a worker or the agent program.
struct Joined {
  ChildId child;
};
/// It is asked to leave, and may finish what it was told before.
struct Left {
  ChildId child;
};
struct Gone {
  ChildId child;
};
/// It says that it tells the end of this schedule's runs.
struct Handles {
  ChildId child;
  std::string schedule;
};
/// Whether what it was to be told could be queued. Follows each Tell.
struct Queued {
  RunId run{};
  ChildId child;
  bool queued = true;
};
/// It says how its run has ended.
struct Answered {
  RunId run{};
  ChildId child;
  std::string error;  ///< empty: well
};
/// The program of a run has ended, or could not be started. Follows each RunCommand once.
struct CommandEnded {
  RunId run{};
  std::string error;  ///< empty: well
  std::string last_words = {};
};
/// Somebody wants a run now. Asked or refused is the answer, with the same ticket.
struct Requested {
  std::uint64_t ticket = 0;
  std::string schedule;
};
/// These are all from now on.
struct Replaced {
  std::vector<config::Schedule> schedules;
};
/// The cluster stops: nothing begins any more.
struct Stop {};

using Event = std::variant<Begin, TimePassed, ClockSet, Joined, Left, Gone, Handles, Queued,
                           Answered, CommandEnded, Requested, Replaced, Stop>;

// What is to be done.

struct Tell {
  RunId run{};
  ChildId child;
  bool as_run = false;  ///< it tells the end; else it gets a message as from any program
  Settings schedule;
};
struct RunCommand {
  RunId run{};
  Settings schedule;
};
/// Its program is to end: at once, or when it has finished what it is at.
struct EndCommand {
  RunId run{};
  bool now = false;
};
struct Accepted {
  std::uint64_t ticket = 0;
  RunId run{};
  bool waits = false;  ///< for the end of another run
};
struct Refused {
  std::uint64_t ticket = 0;
  std::string why;
};

enum class Result : std::uint8_t {
  ok,
  error,
  sent,     ///< to programs that do not tell the end
  skipped,  ///< it never began
};
/// A run is over.
struct Ended {
  RunId run{};  ///< 0 if its time came and nothing began
  Settings schedule;
  Result result{};
  std::optional<ChildId> child = {};  ///< if it was one
  std::uint32_t receivers = 0;
  std::uint32_t failed = 0;  ///< of them
  std::string error = {};    ///< why it failed or was skipped
  std::string last_words = {};
  Duration took{};
  bool news = false;  ///< the one before had not ended so
};

using Action = std::variant<Tell, RunCommand, EndCommand, Accepted, Refused, Ended>;
using Actions = std::vector<Action>;

}  // namespace clusterd::core::schedule
