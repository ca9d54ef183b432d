#include "config/parse.h"

#include "config/check_protocol.h"
#include "config/choices.h"
#include "config/defaults.h"
#include "config/overrides.h"
#include "config/parse_agent.h"
#include "config/parse_http.h"
#include "config/parse_identity.h"
#include "config/parse_listen.h"
#include "config/parse_log.h"
#include "config/parse_messages.h"
#include "config/parse_program.h"
#include "config/parse_restart.h"
#include "config/parse_schedule.h"
#include "config/parse_worker.h"
#include "config/toml_reader.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <limits>

namespace clusterd::config {
namespace {

constexpr std::string_view kNameRule = "1 to 64 of A-Z a-z 0-9 . _ -, the first of them not a dot";

/// Programs of Node say themselves where they listen.
bool needs_listeners(Protocol protocol) {
  return protocol != Protocol::node && protocol != Protocol::none;
}

/// Those in app.conf by line, and then the others.
bool goes_before(const Mistake& a, const Mistake& b) {
  const auto rank = [](const Mistake& mistake) {
    return mistake.origin.empty() ? mistake.line : std::numeric_limits<int>::max();
  };
  return rank(a) < rank(b);
}

class Parser {
 public:
  explicit Parser(const Surroundings& surroundings) : surroundings_(surroundings) {
    settings_.file = surroundings.file;
    settings_.directory = std::filesystem::path(surroundings.file).parent_path().string();
  }

  std::variant<Settings, Mistakes> run(const std::string& text, std::span<const std::string> sets) {
    read_text(text, sets);
    if (mistakes_.empty()) return std::move(settings_);
    std::stable_sort(mistakes_.begin(), mistakes_.end(), &goes_before);
    return std::move(mistakes_);
  }

 private:
  void read_text(const std::string& text, std::span<const std::string> sets);
  void read_top(const toml::table& table);
  void read_name(TomlReader& top);
  void read_workers(TomlReader& top);
  void read_control(TomlReader& top);

  const Surroundings& surroundings_;
  Settings settings_;
  Mistakes mistakes_;
};

void Parser::read_text(const std::string& text, std::span<const std::string> sets) {
  if (static_cast<std::size_t>(std::count(text.begin(), text.end(), '.')) > kMostDots) {
    return mistakes_.push_back({0, "more than " + std::to_string(kMostDots) + " dots in one file"});
  }
  try {
    toml::table table = toml::parse(text);
    apply_sets(sets, table, mistakes_);
    read_top(table);
  } catch (const toml::parse_error& error) {
    mistakes_.push_back({place_of(error.source()).line, escaped(error.description())});
  }
}

void Parser::read_top(const toml::table& table) {
  TomlReader top(table, "", mistakes_);
  top.check_keys();
  read_name(top);
  read_workers(top);
  if (const auto path = top.path("pidfile", settings_.directory)) settings_.pidfile = *path;
  top.duration("stop_delay", TomlReader::Zero::allowed, settings_.stop_delay);
  settings_.user = read_user(top, surroundings_);
  settings_.listen = read_listeners(top, settings_.directory, mistakes_);
  const auto before_worker = static_cast<std::ptrdiff_t>(mistakes_.size());
  settings_.worker = read_worker(top, settings_.directory, surroundings_, mistakes_);
  if (top.find("listen") == nullptr && needs_listeners(settings_.worker.protocol)) {
    top.blame(Place{}, "[[listen]] is missing: nothing to listen on");
    std::rotate(mistakes_.begin() + before_worker, mistakes_.end() - 1, mistakes_.end());
  }
  check_protocol(top, settings_, mistakes_);
  settings_.agent = read_agent(top, settings_, surroundings_, mistakes_);
  settings_.restart = read_restart(top, mistakes_);
  settings_.reload = read_reload(top, mistakes_);
  settings_.schedules = read_schedules(top, settings_, surroundings_, mistakes_);
  read_control(top);
  settings_.messages = read_messages(top, mistakes_);
  settings_.http = read_http(top, settings_, mistakes_);
  settings_.log = read_log(top, settings_, mistakes_);
  settings_.hooks = read_hooks(top, settings_.directory, surroundings_, mistakes_);
}

void Parser::read_name(TomlReader& top) {
  if (top.find("name") == nullptr) {
    settings_.name = std::filesystem::path(surroundings_.file).stem().string();
    if (is_cluster_name(settings_.name)) return;
    top.blame(Place{}, "the file's stem " + in_quotes(settings_.name) +
                           " cannot be the cluster's name (" + std::string(kNameRule) +
                           "); set name");
    return;
  }
  const std::optional<std::string> name = top.string("name");
  if (!name) return;
  if (!is_cluster_name(*name)) return top.wrong("name", kNameRule, *top.find("name"));
  settings_.name = *name;
}

void Parser::read_workers(TomlReader& top) {
  const toml::node* node = top.find("workers");
  if (node == nullptr || node->value<std::string_view>() == "auto") {
    settings_.workers = std::clamp(surroundings_.cpus, 1U, kMostWorkers);
    settings_.workers_reason = surroundings_.cpus_reason;
    return;
  }
  top.integer("workers", {1, kMostWorkers}, settings_.workers, R"("auto" or )");
}

void Parser::read_control(TomlReader& top) {
  std::string& socket = settings_.control.socket;
  socket = surroundings_.control_root + "/" + settings_.name + "/ctl.sock";
  Place place = top.find("name") == nullptr ? Place{} : top.place("name");
  if (const toml::table* table = top.table("control")) {
    TomlReader reader(*table, "control", mistakes_);
    reader.check_keys();
    if (const std::optional<std::string> path = reader.path("socket", settings_.directory)) {
      socket = *path;
      place = reader.place("socket");
    }
    settings_.control.group = read_group(reader, "group", surroundings_);
    const unsigned usual = settings_.control.group ? 0660 : 0600;
    settings_.control.mode = reader.octal("mode").value_or(usual);
  }
  const std::string why = why_not_socket(socket);
  if (!why.empty()) top.blame(place, "control.socket: " + why);
}

}  // namespace

std::variant<Settings, Mistakes> parse(const std::string& text, const Surroundings& surroundings,
                                       std::span<const std::string> sets) {
  return Parser(surroundings).run(text, sets);
}

}  // namespace clusterd::config
