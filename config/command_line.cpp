#include "config/command_line.h"

#include "config/nearest.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <string_view>
#include <vector>

#ifndef CLUSTERD_VERSION
#error "CLUSTERD_VERSION must be defined as the version in quotes"
#endif

namespace clusterd::config {
namespace {

constexpr int kUsage = 64;  // EX_USAGE of sysexits.h
constexpr std::string_view kCommands[] = {"start", "check", "status", "stop", "version"};

PrintAndExit usage_error(const std::string& what) {
  return {"clusterd: " + what + "; see clusterd --help\n", kUsage};
}

PrintAndExit version() { return {"clusterd " CLUSTERD_VERSION "\n", 0}; }

/// The grammar of the command line, and what CLI11 wrote down while reading it. Words that the
/// grammar does not know are collected, since CLI11's own messages suggest nothing.
class CommandLine {
 public:
  CommandLine();

  Command read(int argc, const char* const* argv);

 private:
  CLI::App* add_command(const std::string& name, const std::string& what);
  void add_file(CLI::App* command, std::string& file);
  void add_target(CLI::App* command);
  [[nodiscard]] Command result() const;
  [[nodiscard]] Command targeted(Command command) const;
  [[nodiscard]] std::string mistake() const;

  CLI::App app_{"clusterd keeps a pool of worker processes alive and hands them connections.",
                "clusterd"};
  CLI::App* start_ = add_command("start", "Start a cluster in the foreground.");
  CLI::App* check_ = add_command("check", "Say what is wrong in a configuration file.");
  CLI::App* status_ = add_command("status", "Show the state of a running cluster.");
  CLI::App* stop_ = add_command("stop", "Stop a running cluster and wait until it is gone.");
  CLI::App* version_ = add_command("version", "Print the version.");
  Target target_;
  bool json_ = false;
  bool now_ = false;
  bool no_wait_ = false;
  bool print_version_ = false;
};
