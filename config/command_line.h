#pragma once

#include <string>
#include <variant>
#include <vector>

namespace clusterd::config {

/// clusterd start [--set KEY=VALUE]... app.conf
struct StartCommand {
  std::string file;
  std::vector<std::string> sets = {};  ///< "KEY=VALUE", for config::load()
};

/// clusterd check [--set KEY=VALUE]... app.conf
struct CheckCommand {
  std::string file;
  std::vector<std::string> sets = {};
};

/// clusterd init [--worker COMMAND] [FILE]
struct InitCommand {
  std::string file = "app.conf";
  std::string worker;  ///< in words, as a shell reads them; empty: an example
};

/// clusterd keys: prints docs/KEYS.md. It is for who changes the code, and in no help.
struct KeysCommand {};

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

/// The command line is finished with: print `text` and exit with `code` (help, version, usage).
struct PrintAndExit {
  std::string text;
  int code = 0;  ///< 0, or 64 and then `text` belongs on stderr
};

using Command = std::variant<StartCommand, CheckCommand, InitCommand, KeysCommand, StatusCommand,
                             StopCommand, PrintAndExit>;

/// Reads argv. Never exits or prints by itself.
[[nodiscard]] Command parse_command_line(int argc, const char* const* argv);

}  // namespace clusterd::config
