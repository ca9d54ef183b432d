#include "config/parse.h"

#include "config/defaults.h"
#include "config/keys.h"
#include "config/toml_reader.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sys/un.h>

namespace clusterd::config {
namespace {

constexpr std::uint32_t kMostWorkers = 1024;
constexpr std::size_t kMostAddressBytes = 64;
constexpr std::size_t kMostSocketBytes = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::string_view kNameRule = "1 to 64 of A-Z a-z 0-9 . _ -, the first of them not a dot";

// toml++ 3.3 takes a table apart by recursion and sets no limit to the depth of a.b.c.d: some ten
// thousand dots overflow the stack. Each level of such a key needs a dot.
constexpr std::ptrdiff_t kMostDots = 4096;

class Parser {
 public:
  explicit Parser(const Surroundings& surroundings) : surroundings_(surroundings) {
    settings_.file = surroundings.file;
    settings_.directory = std::filesystem::path(surroundings.file).parent_path().string();
  }

  std::variant<Settings, Mistakes> run(const std::string& text) {
    read_text(text);
    if (mistakes_.empty()) return std::move(settings_);
    std::stable_sort(mistakes_.begin(), mistakes_.end(),
                     [](const Mistake& a, const Mistake& b) { return a.line < b.line; });
    return std::move(mistakes_);
  }

 private:
  using Zero = TomlReader::Zero;

  void read_text(const std::string& text);
  void read_top(const toml::table& table);
  void read_name(TomlReader& top);
  void read_workers(TomlReader& top);
  void read_listeners(TomlReader& top);
  void read_listener(const toml::table& table);
  void read_address(TomlReader& reader, Listen& listen);
  void check_unique(TomlReader& reader, const Listen& listen);
  void read_worker(TomlReader& top);
  void read_command(TomlReader& worker);
  void read_env(TomlReader& worker);
  void read_protocol(TomlReader& worker);
  void read_restart(TomlReader& top);
  void read_control(TomlReader& top);
  void read_log(TomlReader& top);

  const Surroundings& surroundings_;
  Settings settings_;
  Mistakes mistakes_;
  std::set<std::string, std::less<>> names_;
  std::set<std::string, std::less<>> addresses_;
};

void Parser::read_text(const std::string& text) {
  if (std::count(text.begin(), text.end(), '.') > kMostDots) {
    return mistakes_.push_back({0, "more than " + std::to_string(kMostDots) + " dots in one file"});
  }
  try {
    read_top(toml::parse(text));
  } catch (const toml::parse_error& error) {
    mistakes_.push_back({line_of(error.source()), escaped(error.description())});
  }
}

void Parser::read_top(const toml::table& table) {
  TomlReader top(table, "at the top level", "", mistakes_);
  top.allow_only(kTopKeys);
  read_name(top);
  read_workers(top);
  read_listeners(top);
  read_worker(top);
  read_restart(top);
  read_control(top);
  read_log(top);
}

void Parser::read_name(TomlReader& top) {
  if (top.find("name") == nullptr) {
    settings_.name = std::filesystem::path(surroundings_.file).stem().string();
    if (is_cluster_name(settings_.name)) return;
    top.blame(0, "the file's stem " + in_quotes(settings_.name) +
                     " cannot be the cluster's name (" + std::string(kNameRule) + "); set name");
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
  top.integer("workers", 1U, kMostWorkers, settings_.workers, R"("auto" or )");
}

void Parser::read_listeners(TomlReader& top) {
  const toml::node* node = top.find("listen");
  if (node == nullptr) return top.blame(0, "[[listen]] is missing: nothing to listen on");
  const toml::array* array = node->as_array();
  if (array == nullptr) return top.wrong("listen", "[[listen]], an array of tables", *node);
  if (array->empty()) return top.blame("listen", "is empty: nothing to listen on");
  for (const toml::node& element : *array) {
    if (const toml::table* table = element.as_table()) {
      read_listener(*table);
    } else {
      top.wrong("listen", "[[listen]], an array of tables", element);
    }
  }
}

void Parser::read_listener(const toml::table& table) {
  TomlReader reader(table, "in [[listen]]", "listen.", mistakes_);
  reader.allow_only(kListenKeys);

  Listen listen;
  read_address(reader, listen);
  if (const std::optional<std::string> name = reader.string("name")) {
    listen.name = *name;
    // Brackets and colons, for a listener that is named after an address.
    if (!is_name(*name, "._-:[]")) {
      reader.wrong("name", "1 to 64 of A-Z a-z 0-9 . _ - : [ ]", *reader.find("name"));
    }
  }
  reader.choice<Policy>("policy", "policy", kPolicies, listen.policy);
  reader.integer("backlog", 1, 65535, listen.backlog);
  check_unique(reader, listen);
  settings_.listen.push_back(std::move(listen));
}

void Parser::read_address(TomlReader& reader, Listen& listen) {
  constexpr std::string_view kWanted = R"("127.0.0.1:8080" or "[::1]:8080")";
  if (reader.find("address") == nullptr) {
    return reader.blame(reader.line(), "listen.address is missing");
  }
  const std::optional<std::string> text = reader.string("address", kWanted);
  if (!text) return;
  for (const std::string_view form : kLaterForms) {
    if (!text->starts_with(form)) continue;
    return reader.blame("address", in_quotes(*text) + ": a " + in_quotes(form) +
                                       " address is not available in this version; expected " +
                                       std::string(kWanted));
  }
  if (text->size() > kMostAddressBytes)
    return reader.wrong("address", kWanted, *reader.find("address"));
  const Result<Address> address = Address::parse(*text);
  if (!address.has_value()) return reader.blame("address", escaped(address.error().message()));
  listen.address = *address;
  listen.name = *text;
}

void Parser::check_unique(TomlReader& reader, const Listen& listen) {
  if (listen.address.family() != AF_UNSPEC && listen.address.port() != 0) {
    const std::string address = listen.address.text();
    if (!addresses_.insert(address).second) {
      return reader.blame("address", in_quotes(address) + " is there twice");
    }
  }
  if (listen.name.empty() || names_.insert(listen.name).second) return;
  const std::string_view key = reader.find("name") == nullptr ? "address" : "name";
  reader.blame(reader.line(key), "listen.name: two listeners are named " + in_quotes(listen.name) +
                                     "; give each its own name");
}

void Parser::read_worker(TomlReader& top) {
  if (top.find("worker") == nullptr) return top.blame(0, "[worker] is missing: nothing to run");
  const toml::table* table = top.table("worker");
  if (table == nullptr) return;
  TomlReader reader(*table, "in [worker]", "worker.", mistakes_);
  reader.allow_only(kWorkerKeys);
  read_command(reader);
  read_env(reader);
  read_protocol(reader);
  reader.duration("ready_timeout", Zero::refused, settings_.worker.ready_timeout);
  reader.duration("drain_timeout", Zero::allowed, settings_.worker.drain_timeout);
  reader.duration("kill_timeout", Zero::refused, settings_.worker.kill_timeout);
  reader.duration("stall_timeout", Zero::allowed, settings_.worker.stall_timeout);
  reader.integer("max_pending", 1U, 1024U, settings_.worker.max_pending);
}

void Parser::read_command(TomlReader& worker) {
  constexpr std::string_view kWanted = "an array of non-empty strings";
  const toml::node* node = worker.find("command");
  if (node == nullptr) return worker.blame(worker.line(), "worker.command is missing");
  const toml::array* array = node->as_array();
  if (array == nullptr) return worker.wrong("command", kWanted, *node);
  if (array->empty()) return worker.blame("command", "is empty: nothing to run");

  std::vector<std::string>& command = settings_.worker.command;
  for (const toml::node& element : *array) {
    const std::optional<std::string> word = worker.string("command", element, kWanted);
    if (word && word->empty()) worker.wrong("command", kWanted, element);
    command.push_back(word.value_or(""));
  }
  if (command[0].empty()) return;
  const Result<std::string> program = find_program(command[0], settings_.directory, surroundings_);
  if (!program.has_value())
    return worker.blame(line_of((*array)[0].source()),
                        "worker.command: " + program.error().message());
  settings_.worker.program = *program;
}

void Parser::read_env(TomlReader& worker) {
  const toml::table* table = worker.table("env");
  if (table == nullptr) return;
  TomlReader reader(*table, "in worker.env", "worker.env.", mistakes_);
  for (const auto& [key, node] : *table) {
    const std::string name(key.str());
    const int line = line_of(key.source());
    if (!is_variable_name(name)) {
      reader.blame(line, "worker.env: " + in_quotes(name) +
                             " cannot name a variable (letters, digits and _, no digit first)");
    } else if (name.starts_with("CLUSTERD_")) {
      reader.blame(line, "worker.env: " + in_quotes(name) + ": CLUSTERD_ names are for clusterd");
    } else if (const std::optional<std::string> value = reader.string(name, node)) {
      settings_.worker.env.emplace(name, *value);
    }
  }
}

void Parser::read_protocol(TomlReader& worker) {
  const toml::node* node = worker.find("protocol");
  if (node == nullptr) return;
  for (const std::string_view later : kLaterProtocols) {
    if (node->value<std::string_view>() != later) continue;
    return worker.blame(
        "protocol",
        in_quotes(later) + " is not available in this version; expected \"auto\" or \"native\"");
  }
  worker.choice<Protocol>("protocol", "protocol", kProtocols, settings_.worker.protocol);
}

void Parser::read_restart(TomlReader& top) {
  const toml::table* table = top.table("restart");
  if (table == nullptr) return;
  TomlReader reader(*table, "in [restart]", "restart.", mistakes_);
  reader.allow_only(kRestartKeys);
  const toml::table* backoff_table = reader.table("backoff");
  if (backoff_table == nullptr) return;

  TomlReader backoff(*backoff_table, "in restart.backoff", "restart.backoff.", mistakes_);
  backoff.allow_only(kBackoffKeys);
  const std::size_t mistakes = mistakes_.size();
  Restart& restart = settings_.restart;
  backoff.duration("first", Zero::refused, restart.backoff_first);
  backoff.duration("max", Zero::refused, restart.backoff_max);
  if (mistakes_.size() > mistakes || restart.backoff_first <= restart.backoff_max) return;
  reader.blame("backoff", R"(first is longer than max (defaults: "100ms" and "10s"))");
}

void Parser::read_control(TomlReader& top) {
  std::string& socket = settings_.control.socket;
  socket = surroundings_.control_root + "/" + settings_.name + "/ctl.sock";
  int line = top.find("name") == nullptr ? 0 : top.line("name");
  if (const toml::table* table = top.table("control")) {
    TomlReader reader(*table, "in [control]", "control.", mistakes_);
    reader.allow_only(kControlKeys);
    const std::optional<std::string> path = reader.string("socket", "a path");
    if (path && path->empty()) return reader.wrong("socket", "a path", *reader.find("socket"));
    if (path) {
      socket = resolved(settings_.directory, *path);
      line = reader.line("socket");
    }
  }
  if (socket.size() <= kMostSocketBytes) return;
  top.blame(line, "control.socket: " + in_quotes(socket, kMostPathBytes) + " has " +
                      std::to_string(socket.size()) + " bytes; a socket's path may have " +
                      std::to_string(kMostSocketBytes));
}

void Parser::read_log(TomlReader& top) {
  const toml::table* table = top.table("log");
  if (table == nullptr) return;
  TomlReader reader(*table, "in [log]", "log.", mistakes_);
  reader.allow_only(kLogKeys);
  reader.choice<LogLevel>("level", "log level", kLevels, settings_.log.level);
}

}  // namespace

std::variant<Settings, Mistakes> parse(const std::string& text, const Surroundings& surroundings) {
  return Parser(surroundings).run(text);
}

}  // namespace clusterd::config
