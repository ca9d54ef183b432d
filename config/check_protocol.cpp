#include "config/check_protocol.h"

#include "config/nearest.h"
#include "config/templates.h"
#include "config/toml_reader.h"
#include "config/words.h"

#include <algorithm>
#include <csignal>
#include <cstddef>

namespace clusterd::config {
namespace {

constexpr std::string_view kOnlyFds = R"(is only for protocol = "listen-fds")";

class ProtocolCheck {
 public:
  ProtocolCheck(TomlReader& top, Settings& settings, Mistakes& mistakes)
      : top_(top),
        settings_(settings),
        mistakes_(mistakes),
        worker_(*top.find("worker")->as_table(), "worker", mistakes),
        fds_(settings.worker.protocol == Protocol::listen_fds),
        none_(settings.worker.protocol == Protocol::none),
        is_node_(settings.worker.protocol == Protocol::node ||
                 settings.worker.protocol == Protocol::node_fork) {}

  void run() {
    if (const toml::node* node = top_.find("listen"); node != nullptr && node->is_array()) {
      check_listeners(*node->as_array());
    }
    check_handed_out();
    check_ready();
    check_stdin();
    if (!fds_ && !none_) return;
    for (const std::string& word : settings_.worker.command) check_templates("command", word);
    for (const auto& [name, value] : settings_.worker.env) check_templates("env", value);
  }

 private:
  void check_listeners(const toml::array& tables);
  void check_listener(TomlReader& reader, Listen& listen);
  void check_handed_out();
  void check_ready();
  void check_ready_way(Ready::When when);
  [[nodiscard]] std::string own_way() const;
  void check_stdin();
  void check_templates(std::string_view key, const std::string& text);
  [[nodiscard]] const Listen* find(std::string_view name) const;
  [[nodiscard]] std::string no_such(std::string_view name) const;

  TomlReader& top_;
  Settings& settings_;
  Mistakes& mistakes_;
  TomlReader worker_;
  bool fds_;   ///< workers inherit the listening sockets
  bool none_;  ///< and these inherit nothing
  bool is_node_;
};

void ProtocolCheck::check_listeners(const toml::array& tables) {
  if (none_) {
    return top_.blame("listen", R"(protocol = "none" gives its workers no sockets to listen on)");
  }
  std::size_t index = 0;
  for (const toml::node& node : tables) {
    const toml::table* table = node.as_table();
    if (table == nullptr || index >= settings_.listen.size()) continue;
    TomlReader reader(*table, "listen", mistakes_);
    check_listener(reader, settings_.listen[index++]);
  }
}

void ProtocolCheck::check_listener(TomlReader& reader, Listen& listen) {
  if (!fds_) {
    if (!listen.nonblocking) reader.blame("nonblocking", std::string(kOnlyFds));
    return;
  }
  if (reader.find("policy") != nullptr && listen.policy != Policy::accept_race) {
    reader.blame(
        "policy",
        R"(with protocol = "listen-fds" the workers accept for themselves, and the master )"
        R"(cannot choose who gets a connection; expected "accept-race")");
  }
  listen.policy = Policy::accept_race;
  // Nobody may accept from a socket whose O_NONBLOCK others can take off, but those others.
  if (reader.find("queue_timeout") != nullptr && listen.queue_timeout != Duration::zero()) {
    reader.blame(
        "queue_timeout",
        R"(with protocol = "listen-fds" only the workers take connections from the queue; )"
        R"(expected "0")");
  }
  listen.queue_timeout = Duration::zero();
}

/// What counts connections that the master hands out, or what workers do with them.
void ProtocolCheck::check_handed_out() {
  const bool is_cluster = settings_.worker.protocol == Protocol::node;
  const Policy policy = settings_.worker.policy.value_or(Policy::round_robin);
  if (policy != Policy::round_robin && !is_cluster) {
    worker_.blame("policy", R"(is only for protocol = "node"; others go by listen.policy)");
  }
  if (is_node_ && settings_.worker.recycle.requests > 0) {
    worker_.blame("recycle", "requests of Node workers are not known to the master");
  }
  if (is_node_ && settings_.worker.max_connections > 0) {
    worker_.blame("max_connections",
                  "open connections of Node workers are not known to the master; set "
                  "server.maxConnections in the program, and it hands them to others");
  }
  if (!fds_ && !none_) return;
  constexpr std::string_view kWhy =
      "is for connections that the master hands out, and these workers accept for themselves";
  for (const std::string_view key : {"max_pending", "max_connections", "stall_timeout"}) {
    if (worker_.find(key) != nullptr) worker_.blame(key, std::string(kWhy));
  }
  if (settings_.worker.recycle.requests > 0) {
    worker_.blame("recycle", "requests of these workers are not known to the master");
  }
}

void ProtocolCheck::check_ready() {
  Ready& ready = settings_.worker.ready;
  check_ready_way(ready.when);
  if (!fds_ && !none_) {
    if (settings_.worker.drain_signal != SIGTERM) {
      worker_.blame("drain_signal", R"(is only for protocol = "listen-fds" and "none")");
    }
    return;
  }
  if (ready.http.empty() && !ready.tcp) return;
  if (none_) return worker_.blame("ready", R"(protocol = "none" has no listener to ask on)");
  if (!ready.probe.empty()) {
    const Listen* named = find(ready.probe);
    if (named == nullptr) worker_.blame("ready", no_such(ready.probe));
    if (named != nullptr && named->kind == Listen::Kind::udp) {
      worker_.blame("ready", in_quotes(ready.probe) + " has no connections to probe with");
    }
    return;
  }
  const auto stream = std::find_if(settings_.listen.begin(), settings_.listen.end(),
                                   [](const Listen& l) { return l.kind != Listen::Kind::udp; });
  if (stream != settings_.listen.end()) {
    ready.probe = stream->name;
  } else if (!settings_.listen.empty()) {
    worker_.blame("ready", "there is no listener with connections to probe with");
  }
}

void ProtocolCheck::check_ready_way(Ready::When when) {
  using When = Ready::When;
  if (when == When::automatic) return;
  if (when == When::listening || when == When::message) {
    if (is_node_) return;
    return worker_.blame("ready",
                         R"("listening" and "message" are for protocol = "node" and )" + own_way());
  }
  if (fds_ || none_) return;
  worker_.blame("ready",
                R"("notify", "none" and a table are for protocol = "listen-fds" and )" + own_way());
}

/// The end of a sentence: what there is instead.
std::string ProtocolCheck::own_way() const {
  if (is_node_) return R"("none"; expected "auto", "listening" or "message")";
  if (fds_ || none_) return R"("node-fork"; expected "auto", "notify", "none" or a table)";
  const std::string others = settings_.worker.ready.when == Ready::When::listening ||
                                     settings_.worker.ready.when == Ready::When::message
                                 ? R"("node-fork")"
                                 : R"("none")";
  return others + "; a native worker is ready when it calls ready()";
}

void ProtocolCheck::check_stdin() {
  const std::string& name = settings_.worker.stdin_listener;
  if (name.empty()) return;
  if (!fds_) return worker_.blame("stdin", std::string(kOnlyFds));
  if (find(name) == nullptr) worker_.blame("stdin", no_such(name));
}

void ProtocolCheck::check_templates(std::string_view key, const std::string& text) {
  for (const Template& one : find_templates(text)) {
    if (one.listener.empty() && one.kind < Template::Kind::fd) continue;
    const std::string shown = in_quotes(text.substr(one.begin, one.size)) + ": ";
    const Listen* listen = find(one.listener);
    if (listen == nullptr) {
      worker_.blame(key, shown + no_such(one.listener));
    } else if (one.kind == Template::Kind::port && listen->kind == Listen::Kind::unix_socket) {
      worker_.blame(key, shown + "a unix: address has no port");
    }
  }
}

const Listen* ProtocolCheck::find(std::string_view name) const {
  const auto& all = settings_.listen;
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Listen& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string ProtocolCheck::no_such(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const Listen& listen : settings_.listen) names.push_back(listen.name);
  const std::string text = "no [[listen]] is named " + in_quotes(name);
  const std::string_view close = nearest(name, names);
  if (!close.empty()) return text + "; did you mean " + in_quotes(close) + "?";
  return names.empty() ? text : text + "; expected " + listed(names);
}

}  // namespace

bool may_follow(Protocol before, Protocol after) {
  const auto inherits = [](Protocol one) { return one == Protocol::listen_fds; };
  const auto is_handed = [&](Protocol one) { return !inherits(one) && one != Protocol::none; };
  return !(inherits(before) && is_handed(after)) && !(is_handed(before) && inherits(after));
}

void check_protocol(TomlReader& top, Settings& settings, Mistakes& mistakes) {
  const toml::node* worker = top.find("worker");
  if (worker == nullptr || !worker->is_table()) return;
  ProtocolCheck(top, settings, mistakes).run();
}

}  // namespace clusterd::config
