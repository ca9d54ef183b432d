#include "config/known_programs.h"

#include <algorithm>
#include <iterator>

namespace clusterd::config {
namespace {

constexpr std::string_view kNode[] = {"node", "nodejs"};
constexpr std::string_view kTakeListeners[] = {"gunicorn", "uvicorn", "hypercorn", "puma",
                                               "unicorn",  "nginx",   "haproxy"};
/// These run the program as a child, or several.
constexpr std::string_view kLaunchers[] = {"npm",     "npx", "yarn", "pnpm", "npm-cli.js",
                                           "nodemon", "pm2", "tsx",  "bunx"};
constexpr std::string_view kEval[] = {"-e", "--eval", "-p", "--print", "-pe", "-i", "-"};
/// Of Node's options, those that have their value in the next word.
constexpr std::string_view kWithValue[] = {"-r",         "--require",    "--import",
                                           "--loader",   "-C",           "--title",
                                           "--env-file", "--conditions", "--experimental-loader"};
constexpr std::string_view kPhpFpm = "php-fpm";  // with a version behind it, mostly

std::string_view name_of(std::string_view program) {
  return program.substr(program.rfind('/') + 1);
}

bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Such a program takes no part in a cluster, since it has no file.
bool has_no_file(std::span<const std::string> arguments) {
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::string& argument = arguments[at];
    if (is_one_of(argument, kEval) || argument.starts_with("--eval=")) return true;
    if (!argument.starts_with('-')) return false;
    if (is_one_of(argument, kWithValue)) ++at;
  }
  return true;
}

/// Without `env` and the variables that it sets.
std::span<const std::string> what_runs(std::span<const std::string> command) {
  if (command.empty() || name_of(command[0]) != "env") return command;
  std::size_t at = 1;
  while (at < command.size() && command[at].find('=') != std::string::npos) ++at;
  return command.subspan(at);
}

}  // namespace

Protocol protocol_of(std::span<const std::string> command) {
  command = what_runs(command);
  if (command.empty()) return Protocol::native;
  const std::string_view name = name_of(command[0]);
  const auto is = [name](std::string_view known) { return name == known; };
  if (std::any_of(std::begin(kNode), std::end(kNode), is)) return Protocol::node;
  const bool takes_listeners =
      name.starts_with(kPhpFpm) ||
      std::any_of(std::begin(kTakeListeners), std::end(kTakeListeners), is);
  return takes_listeners ? Protocol::listen_fds : Protocol::native;
}

bool is_for_node(std::string_view first_line) {
  if (!first_line.starts_with("#!")) return false;
  first_line = first_line.substr(0, first_line.find_first_of("\r\n"));
  for (std::size_t at = first_line.find("node"); at != std::string_view::npos;
       at = first_line.find("node", at + 1)) {
    const char before = first_line[at - 1];
    const std::string_view after = first_line.substr(at + std::string_view("node").size());
    const bool begins = before == '/' || before == ' ' || before == '\t';
    if (begins && (after.empty() || after[0] == ' ')) return true;
  }
  return false;
}

std::string why_not_started(Protocol protocol, std::span<const std::string> command,
                            std::string_view who) {
  command = what_runs(command);
  if (command.empty()) return "";
  const std::string_view name = name_of(command[0]);
  const bool by_node = protocol == Protocol::node || protocol == Protocol::node_fork;
  if (by_node || protocol == Protocol::native) {
    if (is_one_of(name, kLaunchers)) {
      return std::string(name) + " would be " + std::string(who) +
             ", and the program that it runs none; write that one, such as "
             R"(["node", "server.js"])";
    }
    if (name == "bun" || name == "deno") {
      return std::string(name) +
             " takes no connections from a master; with protocol = \"none\" workers open their own "
             "sockets, and need reusePort to share an address";
    }
  }
  const bool is_node = is_one_of(name, kNode);
  if (by_node && is_node && has_no_file(command.subspan(1))) {
    return "node takes no part in a cluster without a file; put the program into one, such as "
           R"(["node", "server.js"])";
  }
  return "";
}

}  // namespace clusterd::config
