#pragma once

#include "config/settings.h"

#include <string>
#include <variant>
#include <vector>

namespace clusterd::config {

/// One thing wrong in app.conf.
struct Mistake {
  int line = 0;  ///< 1-based; 0 where no line is to blame
  std::string what;

  friend bool operator==(const Mistake&, const Mistake&) = default;
};

using Mistakes = std::vector<Mistake>;

/// "app.conf:12: unknown key \"worker.comand\"; did you mean \"command\"?"
[[nodiscard]] std::string text(const std::string& file, const Mistake& mistake);

/// What parse() may ask of the machine, as data, so that it stays pure.
struct Surroundings {
  std::string file;        ///< real path of app.conf; names the defaults
  std::string path;        ///< PATH, for a command without a slash
  std::uint32_t cpus = 1;  ///< what workers = "auto" gives
  std::string cpus_reason;
  std::string control_root;  ///< the folder in which NAME/ctl.sock goes by default
  /// Says whether an absolute path is an executable file; empty string = yes, else why not.
  std::string (*why_not_executable)(const std::string& path) = nullptr;
};

/// Reads and checks the whole text. All mistakes are reported, in order of line.
[[nodiscard]] std::variant<Settings, Mistakes> parse(const std::string& text,
                                                     const Surroundings& surroundings);

/// Opens `file`, finds the surroundings on this machine, and parses. A file that cannot be read
/// is a mistake at line 0.
[[nodiscard]] std::variant<Settings, Mistakes> load(const std::string& file);

}  // namespace clusterd::config
