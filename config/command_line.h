#pragma once

#include <string>
#include <variant>

namespace clusterd::config {

/// clusterd start app.conf
struct StartCommand {
  std::string file;
};

/// clusterd check app.conf
struct CheckCommand {
  std::string file;
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

/// The command line is finished with: print `text` and exit with `code` (help, version, usage).
struct PrintAndExit {
  std::string text;
  int code = 0;  ///< 0, or 64 and then `text` belongs on stderr
};

using Command = std::variant<StartCommand, CheckCommand, StatusCommand, StopCommand, PrintAndExit>;

/// Reads argv. Never exits or prints by itself.
[[nodiscard]] Command parse_command_line(int argc, const char* const* argv);

}  // namespace clusterd::config
