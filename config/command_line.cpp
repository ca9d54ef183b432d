#include "config/command_line.h"

#include "common/exit_code.h"
#include "config/command_grammar.h"
#include "config/command_mistakes.h"
#include "config/command_number.h"
#include "config/command_send.h"
#include "config/nearest.h"
#include "config/words.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#ifndef CLUSTERD_VERSION
#error "CLUSTERD_VERSION must be defined as the version in quotes"
#endif

namespace clusterd::config {
namespace {

constexpr std::string_view kCommands[] = {
    "start",   "check", "init",     "status",  "events", "logs",   "reload", "scale",
    "restart", "stop",  "schedule", "recycle", "kill",   "reopen", "send",   "version"};

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

class CommandLine {
 public:
  [[nodiscard]] Command read(int argc, const char* const* argv);

 private:
  [[nodiscard]] std::string mistake_at_top() const;
  [[nodiscard]] std::string mistake_in(const CLI::App& command);
  [[nodiscard]] std::string mistake_to_master(const CLI::App& command);
  [[nodiscard]] LogsCommand logs() const;
  [[nodiscard]] std::string mistake_in_schedule();
  [[nodiscard]] Command command(const CLI::App* given) const;

  CommandGrammar said_;
};

Command CommandLine::read(int argc, const char* const* argv) {
  // argc is 0 where exec was given no argv at all.
  if (argc <= 1) return usage_error("a command is missing");
  try {
    said_.app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return PrintAndExit{said_.app.help(), 0};
  } catch (const CLI::RequiredError&) {
    // FILE is missing, but if a word was unknown, that is the better thing to say. See
    // mistake_in().
  } catch (const CLI::Error& error) {
    return usage_error(error.what());
  }
  if (const std::string mistake = mistake_at_top(); !mistake.empty()) return usage_error(mistake);
  if (said_.print_version) return version();
  const CLI::App* given = said_.app.get_subcommands().front();
  std::string mistake =
      given == said_.send ? settle(said_.send_words, said_.target.socket, said_.target.file) : "";
  if (mistake.empty()) mistake = mistake_in(*given);
  if (!mistake.empty()) {
    return usage_error(given->get_name() + ": " + mistake);
  }
  return command(given);
}

std::string CommandLine::mistake_at_top() const {
  static constexpr std::string_view kOptions[] = {"--help", "--version"};
  const std::vector<std::string> extra = said_.app.remaining();
  if (!extra.empty() && extra[0].starts_with('-')) return unknown("option", extra[0], kOptions);
  if (!extra.empty()) return unknown("command", extra[0], kCommands);
  if (said_.app.get_subcommands().empty() && !said_.print_version) return "a command is missing";
  return "";
}

/// Empty if the words that follow the command are right.
std::string CommandLine::mistake_in(const CLI::App& command) {
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

  if (&command == said_.version || &command == said_.keys) return "";
  if (&command == said_.init) return said_.new_file.file.empty() ? "FILE is empty" : "";
  if (&command == said_.start || &command == said_.check) {
    return said_.target.file.empty() ? "FILE is missing" : "";
  }
  return mistake_to_master(command);
}

/// Of those that talk to a running master.
std::string CommandLine::mistake_to_master(const CLI::App& command) {
  if (&command == said_.logs) return config::mistake_in(logs());
  if (&command == said_.schedule) {
    if (const std::string mistake = mistake_in_schedule(); !mistake.empty()) return mistake;
  }
  if (&command == said_.scale || &command == said_.recycle || &command == said_.kill) {
    const auto what = &command == said_.scale ? NumberOf::workers : NumberOf::slot;
    if (std::string mistake = mistake_in_number(said_.number, what); !mistake.empty())
      return mistake;
  }
  const bool one = said_.target.file.empty() != said_.target.socket.empty();
  return one ? "" : "expected either FILE or --socket PATH";
}

/// What is wanted: of two words the first is whose, and a single one is FILE, unless there is
/// --socket.
LogsCommand CommandLine::logs() const {
  LogsCommand logs = said_.wanted;
  logs.target = said_.target;
  if (said_.target.socket.empty() && said_.target.file.empty())
    std::swap(logs.who, logs.target.file);
  return logs;
}

/// list has no NAME, so what stands in its place is FILE.
std::string CommandLine::mistake_in_schedule() {
  constexpr std::string_view kActions[] = {"list", "run"};
  if (said_.schedule_action == "list" && said_.target.file.empty())
    said_.target.file = std::exchange(said_.schedule_name, {});
  if (said_.schedule_action == "list")
    return said_.schedule_name.empty() ? ""
                                       : "unexpected argument " + in_quotes(said_.schedule_name);
  if (said_.schedule_action == "run")
    return said_.schedule_name.empty() ? "expected the NAME of a schedule" : "";
  return said_.schedule_action.empty() ? "expected list or run"
                                       : unknown("action", said_.schedule_action, kActions);
}

Command CommandLine::command(const CLI::App* given) const {
  if (given == said_.start) {
    return StartCommand{said_.target.file, given->get_option("--set")->results(), said_.daemon};
  }
  if (given == said_.check)
    return CheckCommand{said_.target.file, given->get_option("--set")->results()};
  if (given == said_.init) return said_.new_file;
  if (given == said_.keys) return KeysCommand{said_.names, said_.recipes};
  if (given == said_.status) return StatusCommand{said_.target, said_.json};
  if (given == said_.logs) return logs();
  if (given == said_.reopen) return ReopenCommand{said_.target};
  if (given == said_.events) return EventsCommand{said_.target, said_.follow};
  if (given == said_.reload) return ReloadCommand{said_.target, said_.dry_run, !said_.no_wait};
  if (given == said_.restart) return RestartCommand{said_.target, !said_.no_wait};
  if (given == said_.schedule)
    return ScheduleCommand{said_.target, said_.schedule_name, said_.json, !said_.no_wait};
  if (given == said_.stop) return StopCommand{said_.target, said_.now, !said_.no_wait};
  if (given == said_.version) return version();
  if (given == said_.send) {
    return SendCommand{said_.target, said_.send_words.action, said_.send_words.json,
                       recipient_of(said_.send_words), timeout_ms_of(said_.send_words)};
  }
  const Number number = parse_number(said_.number).value_or(Number{});
  if (given == said_.recycle) return RecycleCommand{said_.target, number.value};
  if (given == said_.kill) return KillCommand{said_.target, number.value};
  return ScaleCommand{said_.target, number.value, number.has_sign, !said_.no_wait};
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  return CommandLine().read(argc, argv);
}

}  // namespace clusterd::config
