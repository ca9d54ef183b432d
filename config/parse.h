#pragma once

#include "common/error.h"
#include "config/mistake.h"
#include "config/settings.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace clusterd::config {

/// What parse() may ask of the machine, as data and functions, so that it stays pure.
struct Surroundings {
  std::string file;          ///< real path of app.conf; names the defaults
  std::string path;          ///< PATH, for a command without a slash
  std::uint32_t cpus = 1;    ///< what workers = "auto" gives
  std::string cpus_reason;   ///< why that many
  std::string control_root;  ///< the folder in which NAME/ctl.sock goes by default
  /// Says whether an absolute path is an executable file; empty string = yes, else why not.
  std::string (*why_not_executable)(const std::string& path) = nullptr;
  /// The same for a folder in which a worker can run. By default every path is one.
  std::string (*why_not_folder)(const std::string& path) = [](const std::string&) {
    return std::string();
  };
  /// Who a name or a number is; by default nobody is known. The names are for "did you mean".
  Result<Identity> (*find_user)(const std::string& name) = [](const std::string& name) {
    return Result<Identity>(make_error("there is no user \"" + name + "\""));
  };
  Result<Group> (*find_group)(const std::string& name) = [](const std::string& name) {
    return Result<Group>(make_error("there is no group \"" + name + "\""));
  };
  std::vector<std::string> (*user_names)() = nullptr;
  std::vector<std::string> (*group_names)() = nullptr;
  std::vector<unsigned> allowed_cpus;  ///< on which this process may run; empty: not known
  /// How a file begins, as far as its first line or some hundred bytes. By default all are empty.
  std::string (*first_line)(const std::string& path) = [](const std::string&) {
    return std::string();
  };
  /// The whole of a file that has at most `limit` bytes. By default there are no files.
  Result<std::string> (*read_file)(const std::string& path,
                                   std::size_t limit) = [](const std::string&, std::size_t) {
    return Result<std::string>(make_error("no such file"));
  };
};

/// Reads and checks the whole text of app.conf, after `sets` have been put into it: each is a
/// "key=value" of the command line. All mistakes are reported: those in app.conf in order of line,
/// then the others.
[[nodiscard]] std::variant<Settings, Mistakes> parse(const std::string& text,
                                                     const Surroundings& surroundings,
                                                     std::span<const std::string> sets = {});

/// Opens `file`, finds the surroundings on this machine, and parses. A file that cannot be read
/// is a mistake at line 0.
[[nodiscard]] std::variant<Settings, Mistakes> load(const std::string& file,
                                                    std::span<const std::string> sets = {});

}  // namespace clusterd::config
