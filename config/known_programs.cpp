#include "config/known_programs.h"

#include <algorithm>
#include <iterator>

namespace clusterd::config {
namespace {

constexpr std::string_view kNode[] = {"node", "nodejs"};
constexpr std::string_view kTakeListeners[] = {"gunicorn", "uvicorn", "hypercorn", "puma",
                                               "unicorn",  "nginx",   "haproxy"};
constexpr std::string_view kLaunchers[] = {"npm", "npx", "yarn", "pnpm"};
constexpr std::string_view kEval[] = {"-e", "--eval", "-p", "--print", "-pe", "-i"};
constexpr std::string_view kPhpFpm = "php-fpm";  // with a version behind it, mostly

std::string_view name_of(std::string_view program) {
  return program.substr(program.rfind('/') + 1);
}

bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Such a program takes no part in a cluster, since it has no file.
bool has_no_file(std::span<const std::string> arguments) {
  for (const std::string& argument : arguments) {
    if (!argument.starts_with('-')) return false;
    if (is_one_of(argument, kEval) || argument.starts_with("--eval=")) return true;
  }
  return false;
}

}  // namespace

Protocol protocol_of(std::string_view program) {
  const std::string_view name = name_of(program);
  const auto is = [name](std::string_view known) { return name == known; };
  if (std::any_of(std::begin(kNode), std::end(kNode), is)) return Protocol::node;
  const bool takes_listeners =
      name.starts_with(kPhpFpm) ||
      std::any_of(std::begin(kTakeListeners), std::end(kTakeListeners), is);
  return takes_listeners ? Protocol::listen_fds : Protocol::native;
}

std::string why_not_started(Protocol protocol, std::span<const std::string> command) {
  if (command.empty()) return "";
  const std::string_view name = name_of(command[0]);
  const bool by_node = protocol == Protocol::node || protocol == Protocol::node_fork;
  if (by_node || protocol == Protocol::native) {
    if (is_one_of(name, kLaunchers)) {
      return std::string(name) +
             " would be the worker, and the program that it runs none; write that one, such as "
             R"(["node", "server.js"])";
    }
    if (name == "bun") {
      return "Bun takes no connections from a master; with protocol = \"none\" it can open its own "
             "sockets";
    }
  }
  if (by_node && has_no_file(command.subspan(1))) {
    return "node takes no part in a cluster without a file; put the program into one";
  }
  return "";
}

}  // namespace clusterd::config
