#include "config/changes.h"

#include "config/check_protocol.h"
#include "config/choices.h"
#include "config/keys.h"
#include "config/value_text.h"

#include <algorithm>
#include <set>
#include <span>
#include <string_view>
#include <utility>

namespace clusterd::config {
namespace {

using namespace value_text;

std::string user(const Settings& settings) { return settings.user ? settings.user->user : ""; }
/// With the supplementary ones: the database may have changed, and the file not.
std::string groups(const Settings& settings) {
  if (!settings.user) return "";
  std::string all = std::to_string(settings.user->gid);
  for (const gid_t group : settings.user->groups) {
    if (group != settings.user->gid) all += ", " + std::to_string(group);
  }
  return all;
}

std::string command(const Worker& worker) {
  const bool is_program = worker.command.front() == worker.program;
  // The same words run another program if PATH or a link to app.conf's folder leads elsewhere now.
  return text(worker.command) + (is_program ? "" : " (" + escaped(worker.program) + ")");
}

std::string address(const Listen& listen) {
  if (listen.kind == Listen::Kind::unix_socket) return "unix:" + escaped(listen.path);
  if (listen.kind == Listen::Kind::passed) return "systemd:" + escaped(listen.path);
  return (listen.kind == Listen::Kind::udp ? "udp://" : "") + listen.address.text();
}

/// What members lead to, from one struct into the next.
template <auto First, auto... Rest>
const auto& at(const auto& owner) {
  if constexpr (sizeof...(Rest) == 0) {
    return owner.*First;
  } else {
    return at<Rest...>(owner.*First);
  }
}
template <typename Owner, auto... Members>
std::string shown(const Owner& owner) {
  return text(at<Members...>(owner));
}

/// A key, and how its value is shown.
template <typename Owner>
struct Row {
  std::string_view key;
  std::string (*text)(const Owner&);
};

constexpr Row<Settings> kFixed[] = {
    {"name", &shown<Settings, &Settings::name>},
    {"pidfile", &shown<Settings, &Settings::pidfile>},
    {"control.socket", &shown<Settings, &Settings::control, &Control::socket>},
    {"control.mode", [](const Settings& s) { return octal_text(s.control.mode); }},
    {"control.group",
     [](const Settings& s) { return s.control.group ? escaped(s.control.group->name) : ""; }},
    {"log.file", &shown<Settings, &Settings::log, &Log::file>},
};

constexpr Row<Listen> kListen[] = {
    {"address", &address},
    {"policy", &shown<Listen, &Listen::policy>},
    {"backlog", &shown<Listen, &Listen::backlog>},
    {"queue_timeout", &shown<Listen, &Listen::queue_timeout>},
    {"nonblocking", &shown<Listen, &Listen::nonblocking>},
    {"nodelay", &shown<Listen, &Listen::nodelay>},
    {"defer_accept", &shown<Listen, &Listen::defer_accept>},
    {"v6only", &shown<Listen, &Listen::v6only>},
    {"mode", [](const Listen& listen) { return octal_text(listen.mode); }},
    {"owner", &shown<Listen, &Listen::owner>},
    {"group", &shown<Listen, &Listen::group>},
};

template <auto... Members>
constexpr auto kOfWorker = &shown<Settings, &Settings::worker, Members...>;
template <auto Member>
constexpr auto kOfRecycle = kOfWorker<&Worker::recycle, Member>;
template <auto Member>
constexpr auto kOfRestart = &shown<Settings, &Settings::restart, Member>;
template <auto Member>
constexpr auto kOfReload = &shown<Settings, &Settings::reload, Member>;

constexpr Row<Settings> kRows[] = {
    {"workers", &shown<Settings, &Settings::workers>},
    {"stop_delay", &shown<Settings, &Settings::stop_delay>},
    {"user", &user},
    {"group", &groups},
    {"worker.command", [](const Settings& s) { return command(s.worker); }},
    {"worker.protocol", kOfWorker<&Worker::protocol>},
    {"worker.stdin", kOfWorker<&Worker::stdin_listener>},
    {"worker.ready", kOfWorker<&Worker::ready>},
    {"worker.drain_signal",
     [](const Settings& s) { return word<int>(s.worker.drain_signal, kDrainSignals); }},
    {"worker.policy",
     [](const Settings& s) { return s.worker.policy ? text(*s.worker.policy) : "default"; }},
    {"worker.ready_timeout", kOfWorker<&Worker::ready_timeout>},
    {"worker.drain_timeout", kOfWorker<&Worker::drain_timeout>},
    {"worker.kill_timeout", kOfWorker<&Worker::kill_timeout>},
    {"worker.stall_timeout", kOfWorker<&Worker::stall_timeout>},
    {"worker.heartbeat_timeout", kOfWorker<&Worker::heartbeat_timeout>},
    {"worker.max_pending", kOfWorker<&Worker::max_pending>},
    {"worker.max_connections", kOfWorker<&Worker::max_connections>},
    {"worker.cwd", kOfWorker<&Worker::cwd>},
    {"worker.umask",
     [](const Settings& s) { return s.worker.umask ? octal_text(*s.worker.umask) : ""; }},
    {"worker.nofile", kOfWorker<&Worker::nofile>},
    {"worker.nproc", [](const Settings& s) { return limit(s.worker.nproc); }},
    {"worker.memlock", [](const Settings& s) { return bytes_limit(s.worker.memlock); }},
    {"worker.core", [](const Settings& s) { return bytes_limit(s.worker.core); }},
    {"worker.nice", kOfWorker<&Worker::nice>},
    {"worker.sched", kOfWorker<&Worker::sched>},
    {"worker.affinity", kOfWorker<&Worker::affinity>},
    {"worker.recycle.requests", kOfRecycle<&Recycle::requests>},
    {"worker.recycle.lifetime", kOfRecycle<&Recycle::lifetime>},
    {"worker.recycle.memory",
     [](const Settings& s) { return bytes_text(s.worker.recycle.memory_bytes); }},
    {"worker.recycle.jitter", kOfRecycle<&Recycle::jitter>},
    {"restart.limit",
     [](const Settings& s) { return s.restart.limit == 0 ? "auto" : text(s.restart.limit); }},
    {"restart.window", kOfRestart<&Restart::window>},
    {"restart.backoff.first", kOfRestart<&Restart::backoff_first>},
    {"restart.backoff.max", kOfRestart<&Restart::backoff_max>},
    {"restart.on_giveup", kOfRestart<&Restart::on_giveup>},
    {"restart.giveup_retry", kOfRestart<&Restart::giveup_retry>},
    {"reload.surge", kOfReload<&Reload::surge>},
    {"reload.max_unavailable", kOfReload<&Reload::max_unavailable>},
    {"reload.max_generations", kOfReload<&Reload::max_generations>},
    {"reload.settle", kOfReload<&Reload::settle>},
    {"http.address", [](const Settings& s) { return s.http.at ? address(*s.http.at) : ""; }},
    {"log.level", &shown<Settings, &Settings::log, &Log::level>},
    {"log.capture", &shown<Settings, &Settings::log, &Log::capture>},
    {"log.frame", &shown<Settings, &Settings::log, &Log::frame>},
};

/// The default in words of the key at `path`.
std::string fallback(std::string_view path) {
  const auto all = keys();
  const auto found = std::find_if(
      all.begin(), all.end(), [&](const Key& key) { return path_of(key.table, key.name) == path; });
  return found == all.end() ? "" : std::string(found->fallback);
}

/// "10s -> 20s" for each of `rows` that differs, after what `begin` makes of the key.
template <typename Owner>
void compare(const Owner& before, const Owner& after, std::span<const Row<Owner>> rows,
             std::string_view table, auto begin, std::vector<std::string>& lines) {
  for (const Row<Owner>& row : rows) {
    const std::string old_text = row.text(before);
    const std::string new_text = row.text(after);
    if (old_text == new_text) continue;
    const std::string unset = fallback(path_of(table, row.key));
    lines.push_back(begin(row.key) + (old_text.empty() ? unset : old_text) + " -> " +
                    (new_text.empty() ? unset : new_text));
  }
}

std::string with_colon(std::string_view key) { return std::string(key) + ": "; }

const Listen* find_listener(const Settings& settings, const std::string& name) {
  const auto found = std::find_if(settings.listen.begin(), settings.listen.end(),
                                  [&](const Listen& listen) { return listen.name == name; });
  return found == settings.listen.end() ? nullptr : &*found;
}

void compare_listeners(const Settings& before, const Settings& after,
                       std::vector<std::string>& lines) {
  const auto title = [](const Listen& one) { return "listen " + escaped(one.name) + ": "; };
  for (const Listen& old_one : before.listen) {
    const Listen* new_one = find_listener(after, old_one.name);
    if (new_one == nullptr) {
      lines.push_back(title(old_one) + "closed");
      continue;
    }
    const auto begin = [&](std::string_view key) {
      return title(old_one) + std::string(key) + " ";
    };
    compare<Listen>(old_one, *new_one, kListen, "listen", begin, lines);
  }
  for (const Listen& new_one : after.listen) {
    if (find_listener(before, new_one.name) != nullptr) continue;
    lines.push_back(title(new_one) + "opened on " + address(new_one));
  }
}

/// Calls `differs(key, old, new)` for each key whose values differ; nullptr where there is none.
template <typename T>
void each_difference(const std::map<std::string, T>& before, const std::map<std::string, T>& after,
                     auto differs) {
  std::set<std::string> names;
  for (const auto& [name, value] : before) names.insert(name);
  for (const auto& [name, value] : after) names.insert(name);
  for (const std::string& name : names) {
    const auto old_one = before.find(name);
    const auto new_one = after.find(name);
    const T* old_value = old_one == before.end() ? nullptr : &old_one->second;
    const T* new_value = new_one == after.end() ? nullptr : &new_one->second;
    const bool same = old_value != nullptr && new_value != nullptr && *old_value == *new_value;
    if (!same) differs(name, old_value, new_value);
  }
}

}  // namespace

std::vector<std::string> changes(const Settings& before, const Settings& after) {
  std::vector<std::string> lines;
  compare_listeners(before, after, lines);
  compare<Settings>(before, after, kRows, "", &with_colon, lines);
  each_difference(before.worker.env, after.worker.env,
                  [&](const std::string& name, const auto* old_value, const auto* new_value) {
                    const char* how = old_value == nullptr   ? " added"
                                      : new_value == nullptr ? " removed"
                                                             : " changed";
                    lines.push_back("worker.env: " + name + how);
                  });
  each_difference(before.hooks, after.hooks,
                  [&](const std::string& event, const auto* old_argv, const auto* new_argv) {
                    lines.push_back("hooks." + event + ": " +
                                    (old_argv == nullptr ? "[]" : text(*old_argv)) + " -> " +
                                    (new_argv == nullptr ? "[]" : text(*new_argv)));
                  });
  return lines;
}

std::vector<std::string> cannot_change(const Settings& before, const Settings& after) {
  std::vector<std::string> lines;
  compare<Settings>(before, after, kFixed, "", &with_colon, lines);
  if (!may_follow(before.worker.protocol, after.worker.protocol)) {
    lines.push_back("worker.protocol: " + text(before.worker.protocol) + " -> " +
                    text(after.worker.protocol));
  }
  for (std::string& line : lines)
    line += ": a reload cannot change it; it needs a stop and a start";
  return lines;
}

}  // namespace clusterd::config
