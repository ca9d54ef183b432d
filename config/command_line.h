#pragma once

#include "common/recipient.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace clusterd::config {

/// clusterd start [--daemon] [--set KEY=VALUE]... app.conf
struct StartCommand {
  std::string file;
  std::vector<std::string> sets = {};  ///< "KEY=VALUE", for config::load()
  bool daemon = false;                 ///< in the background; returns when all are ready
};

/// clusterd check [--set KEY=VALUE]... app.conf
struct CheckCommand {
  std::string file;
  std::vector<std::string> sets = {};
};

/// clusterd init [--worker COMMAND] [FILE]
struct InitCommand {
  std::string file = "app.conf";
  std::string worker;  ///< a recipe's name, or words, as a shell reads them; empty: an example
};

/// clusterd keys [--names | --recipes]: prints docs/KEYS.md, the names that --set takes, or
/// docs/recipes.md. It is for who changes the code and for the completions of shells, and in no
/// help.
struct KeysCommand {
  bool names = false;
  bool recipes = false;
};

/// Where a running master is: its app.conf, or its control socket.
struct Target {
  std::string file;
  std::string socket;
};

/// clusterd status [--json] TARGET
struct StatusCommand {
  Target target;
  bool json = false;
};

/// clusterd stop [--now] [--no-wait] TARGET
struct StopCommand {
  Target target;
  bool now = false;
  bool wait = true;
};

/// clusterd reload [--dry-run] [--no-wait] TARGET
struct ReloadCommand {
  Target target;
  bool dry_run = false;
  bool wait = true;
};

/// clusterd restart [--no-wait] TARGET
struct RestartCommand {
  Target target;
  bool wait = true;
};

/// clusterd scale N|+N|-N [--no-wait] TARGET
struct ScaleCommand {
  Target target;
  int number = 0;         ///< 1..1024, or -1024..-1 if `relative`
  bool relative = false;  ///< +N or -N: so many more, or fewer
  bool wait = true;
};

/// clusterd recycle SLOT TARGET
struct RecycleCommand {
  Target target;
  int slot = 0;  ///< 0..1023
};

/// clusterd kill SLOT TARGET
struct KillCommand {
  Target target;
  int slot = 0;
};

/// clusterd send [--to WHOM] [--wait TIME] ACTION [JSON] TARGET
struct SendCommand {
  Target target;
  std::string action;
  std::string json;  ///< unchecked; empty: none
  Recipient to;
  std::optional<std::int64_t> timeout_ms;  ///< its answer is awaited for so long
};

/// clusterd events [--follow] TARGET
struct EventsCommand {
  Target target;
  bool follow = false;
};

/// clusterd logs [-f] [-n N] [--json] [SLOT] TARGET
struct LogsCommand {
  Target target;
  std::string who;  ///< a slot's number, "master" or "agent"; empty: all
  int lines = 50;
  bool follow = false;
  bool json = false;
};

/// clusterd reopen TARGET
struct ReopenCommand {
  Target target;
};

/// clusterd schedule list [--json] TARGET
/// clusterd schedule run NAME [--no-wait] TARGET
struct ScheduleCommand {
  Target target;
  std::string run;  ///< which schedule; empty: list all
  bool json = false;
  bool wait = true;
};

/// The command line is finished with: print `text` and exit with `code` (help, version, usage).
struct PrintAndExit {
  std::string text;
  int code = 0;  ///< 0, or 64 and then `text` belongs on stderr
};

using Command = std::variant<StartCommand, CheckCommand, InitCommand, KeysCommand, StatusCommand,
                             StopCommand, ReloadCommand, RestartCommand, ScaleCommand,
                             RecycleCommand, KillCommand, EventsCommand, LogsCommand, ReopenCommand,
                             ScheduleCommand, SendCommand, PrintAndExit>;

/// Reads argv. Never exits or prints by itself.
[[nodiscard]] Command parse_command_line(int argc, const char* const* argv);

}  // namespace clusterd::config
