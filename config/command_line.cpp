#include "config/command_line.h"

#include "common/exit_code.h"
#include "config/command_number.h"
#include "config/nearest.h"
#include "config/settings.h"
#include "config/words.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#ifndef CLUSTERD_VERSION
#error "CLUSTERD_VERSION must be defined as the version in quotes"
#endif

namespace clusterd::config {
namespace {

constexpr std::string_view kCommands[] = {"start",  "check",   "init",  "status",
                                          "events", "reload",  "scale", "restart",
                                          "stop",   "recycle", "kill",  "version"};
static_assert(kMostWorkers == 1024);
constexpr std::string_view kWantedNumber = "N, +N or -N, with N from 1 to 1024";
constexpr std::string_view kWantedSlot = "SLOT, a number from 0 to 1023";

PrintAndExit usage_error(const std::string& what) {
  const std::string after = what.ends_with('?') ? " " : "; ";
  return {"clusterd: " + what + after + "see clusterd --help\n", kExitUsage};
}

PrintAndExit version() { return {"clusterd " CLUSTERD_VERSION "\n", 0}; }

/// "unknown THING "strat"; did you mean "start"?"
std::string unknown(const std::string& thing, const std::string& word,
                    std::span<const std::string_view> known) {
  const std::string_view close = nearest(std::string_view(word).substr(0, word.find('=')), known);
  const std::string start = "unknown " + thing + " " + in_quotes(word);
  return close.empty() ? start : start + "; did you mean " + in_quotes(close) + "?";
}

/// The grammar of the command line, and where CLI11 leaves what it has read. Words that the
/// grammar does not have are collected, since CLI11's own messages suggest nothing.
class CommandLine {
 public:
  CommandLine();

  [[nodiscard]] Command read(int argc, const char* const* argv);

 private:
  [[nodiscard]] CLI::App* add_command(std::string_view name, const std::string& what);
  void add_commands();
  void add_start_options();
  void add_target(CLI::App* command);
  void add_number(CLI::App* command, const std::string& name, const std::string& what);
  [[nodiscard]] std::string mistake_at_top() const;
  [[nodiscard]] std::string mistake_in(const CLI::App& command) const;
  [[nodiscard]] std::string mistake_in_number(const CLI::App& command) const;
  [[nodiscard]] Command command(const CLI::App* given) const;

  CLI::App app_{"clusterd keeps a pool of worker processes running and hands them connections.",
                "clusterd"};
  CLI::App* start_ = nullptr;
  CLI::App* check_ = nullptr;
  CLI::App* init_ = nullptr;
  CLI::App* keys_ = nullptr;
  CLI::App* status_ = nullptr;
  CLI::App* events_ = nullptr;
  CLI::App* reload_ = nullptr;
  CLI::App* restart_ = nullptr;
  CLI::App* scale_ = nullptr;
  CLI::App* recycle_ = nullptr;
  CLI::App* kill_ = nullptr;
  CLI::App* stop_ = nullptr;
  CLI::App* version_ = nullptr;
  Target target_;
  InitCommand new_file_;
  std::string number_;
  bool daemon_ = false;
  bool json_ = false;
  bool names_ = false;
  bool recipes_ = false;
  bool follow_ = false;
  bool dry_run_ = false;
  bool now_ = false;
  bool no_wait_ = false;
  bool print_version_ = false;
};

CommandLine::CommandLine() {
  app_.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app_.get_formatter()->label("Positionals", "Arguments");
  app_.get_formatter()->label("REQUIRED", "");
  app_.set_help_flag("-h,--help", "Print this and exit");
  app_.add_flag("--version", print_version_, "Print the version and exit");
  app_.allow_extras();
  // After the first command every word is an argument: a file may be called "stop".
  app_.require_subcommand(0, 1);

  add_commands();
  add_start_options();
  init_->add_option("FILE", new_file_.file, "The file to write; app.conf if none is given")
      ->type_name("");
  init_
      ->add_option("--worker", new_file_.worker,
                   "The worker's program and its arguments, or a recipe")
      ->type_name("COMMAND");
  // Before FILE. For CLI11 -1 is a number, as long as no option is called so.
  add_number(scale_, "N", "So many workers, +N: so many more, -N: so many fewer");
  add_number(recycle_, "SLOT", "The worker's slot");
  add_number(kill_, "SLOT", "The worker's slot");
  for (CLI::App* command : {status_, events_, reload_, restart_, scale_, recycle_, kill_, stop_}) {
    add_target(command);
  }
  status_->add_flag("--json", json_, "Print JSON");
  keys_->add_flag("--names", names_, "Only what --set takes");
  keys_->add_flag("--recipes", recipes_, "What docs/recipes.md is made of");
  events_->add_flag("-f,--follow", follow_, "Go on with what happens from now on");
  reload_->add_flag("--dry-run", dry_run_, "Only say what would change");
  stop_->add_flag("--now", now_, "Kill the workers instead of draining them");
  for (CLI::App* command : {reload_, restart_, scale_, stop_}) {
    command->add_flag("--no-wait", no_wait_, "Return at once");
  }
}

void CommandLine::add_start_options() {
  start_->add_flag("-d,--daemon", daemon_, "Leave it in the background when all are ready");
  for (CLI::App* with_file : {start_, check_}) {
    with_file->add_option("FILE", target_.file, "The configuration file")
        ->type_name("")
        ->required();
    // One value each, so that the next word can be FILE.
    with_file->add_option("--set")
        ->description("Set a key of the file; may be given often")
        ->type_name("KEY=VALUE")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->expected(1)
        ->allow_extra_args(false);
  }
}

void CommandLine::add_commands() {
  start_ = add_command("start", "Start a cluster");
  check_ = add_command("check", "Say what is wrong in a configuration file");
  init_ = add_command("init", "Write a configuration file to start from");
  status_ = add_command("status", "Show the state of a running cluster");
  events_ = add_command("events", "Show what has happened, one JSON object a line");
  reload_ = add_command("reload", "Read the configuration again, and replace the workers");
  restart_ = add_command("restart", "Replace all workers, one after another");
  scale_ = add_command("scale", "Change the number of workers");
  recycle_ = add_command("recycle", "Replace one worker, which finishes what it holds");
  kill_ = add_command("kill", "Kill one worker, which is then replaced");
  stop_ = add_command("stop", "Stop a running cluster, and wait until it is gone");
  version_ = add_command("version", "Print the version");
  keys_ = add_command("keys", "Print the keys of a configuration file as Markdown");
  keys_->group("");
}

CLI::App* CommandLine::add_command(std::string_view name, const std::string& what) {
  CLI::App* command = app_.add_subcommand(std::string(name), what);
  command->group("Commands");
  command->allow_extras();
  return command;
}

void CommandLine::add_target(CLI::App* command) {
  command->add_option("FILE", target_.file, "The configuration file it was started with")
      ->type_name("");
  command->add_option("--socket", target_.socket, "Its control socket")->type_name("PATH");
}

void CommandLine::add_number(CLI::App* command, const std::string& name, const std::string& what) {
  command->add_option(name, number_, what)->type_name("")->required();
}

Command CommandLine::read(int argc, const char* const* argv) {
  // argc is 0 where exec was given no argv at all.
  if (argc <= 1) return usage_error("a command is missing");
  try {
    app_.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return PrintAndExit{app_.help(), 0};
  } catch (const CLI::RequiredError&) {
    // FILE is missing, but if a word was unknown, that is the better thing to say. See
    // mistake_in().
  } catch (const CLI::Error& error) {
    return usage_error(error.what());
  }
  if (const std::string mistake = mistake_at_top(); !mistake.empty()) return usage_error(mistake);
  if (print_version_) return version();
  const CLI::App* given = app_.get_subcommands().front();
  if (const std::string mistake = mistake_in(*given); !mistake.empty()) {
    return usage_error(given->get_name() + ": " + mistake);
  }
  return command(given);
}

std::string CommandLine::mistake_at_top() const {
  static constexpr std::string_view kOptions[] = {"--help", "--version"};
  const std::vector<std::string> extra = app_.remaining();
  if (!extra.empty() && extra[0].starts_with('-')) return unknown("option", extra[0], kOptions);
  if (!extra.empty()) return unknown("command", extra[0], kCommands);
  if (app_.get_subcommands().empty() && !print_version_) return "a command is missing";
  return "";
}

/// Empty if the words that follow the command are right.
std::string CommandLine::mistake_in(const CLI::App& command) const {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    if (option->nonpositional()) names.push_back(option->get_name());
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  std::vector<std::string> extra = command.remaining();
  std::erase(extra, "--");
  // An unknown option comes first: what follows it may have been meant as its value.
  const auto option = std::find_if(extra.begin(), extra.end(),
                                   [](const std::string& word) { return word.starts_with('-'); });
  if (option != extra.end()) return unknown("option", *option, known);
  if (!extra.empty()) return "unexpected argument " + in_quotes(extra[0]);

  if (&command == version_ || &command == keys_) return "";
  if (&command == init_) return new_file_.file.empty() ? "FILE is empty" : "";
  if (&command == start_ || &command == check_) {
    return target_.file.empty() ? "FILE is missing" : "";
  }
  if (const std::string mistake = mistake_in_number(command); !mistake.empty()) return mistake;
  const bool one = target_.file.empty() != target_.socket.empty();
  return one ? "" : "expected either FILE or --socket PATH";
}

std::string CommandLine::mistake_in_number(const CLI::App& command) const {
  const bool by_slot = &command == recycle_ || &command == kill_;
  if (!by_slot && &command != scale_) return "";
  std::string wanted = "expected " + std::string(by_slot ? kWantedSlot : kWantedNumber);
  if (number_.empty()) return wanted;
  const std::optional<Number> number = parse_number(number_);
  constexpr int kMost = kMostWorkers;
  const int size = number ? std::abs(number->value) : -1;
  const bool fits =
      by_slot ? size >= 0 && size < kMost && !number->has_sign : size >= 1 && size <= kMost;
  return fits ? "" : wanted + ", got " + in_quotes(number_);
}

Command CommandLine::command(const CLI::App* given) const {
  if (given == start_) {
    return StartCommand{target_.file, given->get_option("--set")->results(), daemon_};
  }
  if (given == check_) return CheckCommand{target_.file, given->get_option("--set")->results()};
  if (given == init_) return new_file_;
  if (given == keys_) return KeysCommand{names_, recipes_};
  if (given == status_) return StatusCommand{target_, json_};
  if (given == events_) return EventsCommand{target_, follow_};
  if (given == reload_) return ReloadCommand{target_, dry_run_, !no_wait_};
  if (given == restart_) return RestartCommand{target_, !no_wait_};
  if (given == stop_) return StopCommand{target_, now_, !no_wait_};
  if (given == version_) return version();
  const Number number = parse_number(number_).value_or(Number{});
  if (given == recycle_) return RecycleCommand{target_, number.value};
  if (given == kill_) return KillCommand{target_, number.value};
  return ScaleCommand{target_, number.value, number.has_sign, !no_wait_};
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  return CommandLine().read(argc, argv);
}

}  // namespace clusterd::config
