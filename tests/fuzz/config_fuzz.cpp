// Any text as app.conf, and any --set after a NUL: there are mistakes that can be shown, or all
// settings are within their limits.
#include "common/handoff.h"
#include "config/changes.h"
#include "config/parse.h"
#include "config/quantity.h"
#include "config/words.h"
#include "tests/fuzz/fuzz.h"

#include <algorithm>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace clusterd::fuzz {
namespace {

using config::Settings;

constexpr std::size_t kLongestSocket = 107;

std::string why_not_executable(const std::string& path) {
  must(path.starts_with('/'), "only an absolute path is looked at");
  return path.ends_with("web") ? "" : "No such file or directory";
}

Result<std::string> read_file(const std::string& path, std::size_t) {
  if (!path.ends_with(".env")) return make_error("No such file or directory");
  return std::string("# of the shop\nexport A=1\nB='x y'\n");
}

config::Surroundings surroundings() {
  config::Surroundings around;
  around.file = "/etc/shop/shop.conf";
  around.path = "/usr/bin::bin:/usr/local/bin/";
  around.cpus = 3;
  around.cpus_reason = "3 CPUs";
  around.control_root = "/run/clusterd";
  around.why_not_executable = &why_not_executable;
  around.read_file = &read_file;
  return around;
}

bool is_between(auto value, auto low, auto high) { return low <= value && value <= high; }

void must_be_shown(const config::Mistakes& mistakes, const std::string& text) {
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  must(!mistakes.empty(), "what is refused has a mistake");
  bool in_file = true;
  int last = 0;
  for (const config::Mistake& mistake : mistakes) {
    must(!mistake.what.empty(), "a mistake says what is wrong");
    must(config::escaped(mistake.what) == mistake.what, "a mistake is one line");
    must(config::escaped(mistake.origin) == mistake.origin, "an origin is one line");
    must(in_file || !mistake.origin.empty(), "those in the file come first");
    in_file = mistake.origin.empty();
    if (!in_file) continue;
    must(is_between(mistake.line, last, lines), "mistakes are in order of line");
    last = mistake.line;
  }
}

void must_be_good(const config::Worker& worker) {
  must(!worker.command.empty(), "there is a command");
  for (const std::string& word : worker.command) {
    must(!word.empty() && word.find('\0') == std::string::npos, "a word can be an argument");
  }
  must(why_not_executable(worker.program).empty(), "the program can be run");
  for (const auto& [name, value] : worker.env) {
    must(config::is_variable_name(name) && !name.starts_with("CLUSTERD_"), "a variable has a name");
    must(value.find('\0') == std::string::npos, "a variable can be set");
  }
  for (const Duration timeout : {worker.ready_timeout, worker.kill_timeout}) {
    must(is_between(timeout, Duration(1), Duration(config::kLongest)), "a timeout is sensible");
  }
  for (const Duration timeout : {worker.drain_timeout, worker.stall_timeout,
                                 worker.heartbeat_timeout, worker.recycle.lifetime}) {
    must(is_between(timeout, Duration(0), Duration(config::kLongest)), "a timeout is sensible");
  }
  must(is_between(worker.max_pending, 1U, 1024U), "max_pending is within its limits");
  must(is_between(worker.recycle.jitter, 0.0, 1.0), "jitter is a share");
  const std::uint64_t memory = worker.recycle.memory_bytes;
  must(memory == 0 || is_between(memory, std::uint64_t{1} << 20U, config::kMostBytes),
       "no worker is recycled for having any memory at all");
}

void must_be_good(const Settings& settings) {
  must(config::is_cluster_name(settings.name), "the name is one");
  must(is_between(settings.workers, 1U, 1024U), "workers is within its limits");
  const config::Protocol protocol = settings.worker.protocol;
  const bool needs_none = protocol == config::Protocol::node || protocol == config::Protocol::none;
  must(is_between(settings.listen.size(), std::size_t{needs_none ? 0U : 1U},
                  std::size_t{handoff::kMaxListeners}),
       "there are as many listeners as the page has counters for");
  std::set<std::string> names;
  for (const config::Listen& listen : settings.listen) {
    must(!listen.name.empty() && names.insert(listen.name).second, "a listener's name is its own");
    must(is_between(listen.backlog, 1, 65535), "backlog is within its limits");
  }
  must_be_good(settings.worker);
  must(is_between(settings.restart.backoff_first, Duration(1), settings.restart.backoff_max),
       "the backoff grows");
  must(settings.restart.limit <= 100'000, "limit is within its limits");
  must(settings.restart.window > Duration::zero(), "deaths count for some time");
  must(settings.reload.surge + settings.reload.max_unavailable > 0, "a reload gets on");
  must(is_between(settings.reload.max_generations, 2U, 100U), "a reload has a next generation");
  for (const auto& [event, argv] : settings.hooks) {
    must(!argv.empty() && why_not_executable(argv[0]).empty(), "a hook can be run");
  }
  must(config::changes(settings, settings).empty() &&
           config::cannot_change(settings, settings).empty(),
       "what is the same has not changed");
  const std::string& socket = settings.control.socket;
  must(socket.starts_with('/') && socket.size() <= kLongestSocket, "the socket can be bound");
}

}  // namespace

void try_input(std::string_view input) {
  const std::string text(input.substr(0, input.find('\0')));
  std::vector<std::string> sets;
  for (std::size_t at = text.size(); at < input.size(); at += 1 + sets.back().size()) {
    const std::string_view rest = input.substr(at + 1);
    sets.emplace_back(rest.substr(0, rest.find('\0')));
  }
  const auto result = config::parse(text, surroundings(), sets);
  if (const auto* mistakes = std::get_if<config::Mistakes>(&result)) {
    must_be_shown(*mistakes, text);
  } else {
    must_be_good(std::get<Settings>(result));
  }
}

}  // namespace clusterd::fuzz
