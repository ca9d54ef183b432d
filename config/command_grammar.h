#pragma once

#include "config/command_line.h"
#include "config/command_send.h"

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>

namespace clusterd::config {

/// The grammar of the command line, and where CLI11 leaves what it has read. Words that the
/// grammar does not have are collected, since CLI11's own messages suggest nothing.
struct CommandGrammar {
  CommandGrammar();
  CommandGrammar(const CommandGrammar&) = delete;
  CommandGrammar& operator=(const CommandGrammar&) = delete;

  CLI::App app{"clusterd keeps a pool of worker processes running and hands them connections.",
               "clusterd"};
  CLI::App* start = nullptr;
  CLI::App* check = nullptr;
  CLI::App* init = nullptr;
  CLI::App* keys = nullptr;
  CLI::App* status = nullptr;
  CLI::App* events = nullptr;
  CLI::App* logs = nullptr;
  CLI::App* reopen = nullptr;
  CLI::App* reload = nullptr;
  CLI::App* restart = nullptr;
  CLI::App* scale = nullptr;
  CLI::App* schedule = nullptr;
  CLI::App* recycle = nullptr;
  CLI::App* kill = nullptr;
  CLI::App* send = nullptr;
  CLI::App* stop = nullptr;
  CLI::App* version = nullptr;
  Target target;
  LogsCommand wanted;
  InitCommand new_file;
  SendWords send_words;
  std::string number;
  std::string schedule_action;  ///< list or run
  std::string schedule_name;
  bool daemon = false;
  bool json = false;
  bool names = false;
  bool recipes = false;
  bool follow = false;
  bool dry_run = false;
  bool now = false;
  bool no_wait = false;
  bool print_version = false;

 private:
  [[nodiscard]] CLI::App* add_command(std::string_view name, const std::string& what);
  void add_commands();
  void add_start_options();
  void add_words();
  void add_send_options();
  void add_options();
  void add_target(CLI::App* command);
  void add_number(CLI::App* command, const std::string& name, const std::string& what);
};

}  // namespace clusterd::config
