#include "config/change_rows.h"

#include "config/choices.h"
#include "config/parse_log.h"
#include "config/value_text.h"

#include <optional>

namespace clusterd::config::change_rows {
namespace {

using namespace value_text;

std::string user(const std::optional<Identity>& user) { return user ? user->user : ""; }
/// With the supplementary ones: the database may have changed, and the file not.
std::string groups(const std::optional<Identity>& user) {
  if (!user) return "";
  std::string all = std::to_string(user->gid);
  for (const gid_t group : user->groups) {
    if (group != user->gid) all += ", " + std::to_string(group);
  }
  return all;
}

std::string command(const Worker& worker) {
  if (worker.command.empty()) return "";
  const bool is_program = worker.command.front() == worker.program;
  // The same words run another program if PATH or a link to app.conf's folder leads elsewhere now.
  return text(worker.command) + (is_program ? "" : " (" + escaped(worker.program) + ")");
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

constexpr Row<Schedule> kSchedule[] = {
    {"every", [](const Schedule& s) { return s.cron ? "" : duration_text(s.every); }},
    {"cron", [](const Schedule& s) { return s.cron ? escaped(s.cron_text) : ""; }},
    {"target",
     [](const Schedule& s) {
       return s.target == Schedule::Target::command ? "a command" : text(s.target);
     }},
    {"action", &shown<Schedule, &Schedule::action>},
    {"data", &shown<Schedule, &Schedule::data>},
    {"command", &shown<Schedule, &Schedule::command>},
    {"immediate", &shown<Schedule, &Schedule::immediate>},
    {"overlap", &shown<Schedule, &Schedule::overlap>},
    {"timeout", &shown<Schedule, &Schedule::timeout>},
};

template <auto Member>
constexpr auto kOfRestart = &shown<Settings, &Settings::restart, Member>;
template <auto Member>
constexpr auto kOfReload = &shown<Settings, &Settings::reload, Member>;

template <auto Member>
constexpr auto kOfLog = &shown<Settings, &Settings::log, &Log::rules, Member>;

constexpr Row<Settings> kTop[] = {
    {"workers", &shown<Settings, &Settings::workers>},
    {"stop_delay", &shown<Settings, &Settings::stop_delay>},
    {"user", [](const Settings& s) { return user(s.user); }},
    {"group", [](const Settings& s) { return groups(s.user); }},
};

/// Of [worker], and those of them that [agent] has.
constexpr Row<Worker> kProgram[] = {
    {"command", &command},
    {"protocol", &shown<Worker, &Worker::protocol>},
    {"stdin", &shown<Worker, &Worker::stdin_listener>},
    {"ready", &shown<Worker, &Worker::ready>},
    {"drain_signal", [](const Worker& w) { return word<int>(w.drain_signal, kDrainSignals); }},
    {"policy", [](const Worker& w) { return w.policy ? text(*w.policy) : "default"; }},
    {"ready_timeout", &shown<Worker, &Worker::ready_timeout>},
    {"drain_timeout", &shown<Worker, &Worker::drain_timeout>},
    {"kill_timeout", &shown<Worker, &Worker::kill_timeout>},
    {"stall_timeout", &shown<Worker, &Worker::stall_timeout>},
    {"heartbeat_timeout", &shown<Worker, &Worker::heartbeat_timeout>},
    {"max_pending", &shown<Worker, &Worker::max_pending>},
    {"max_connections", &shown<Worker, &Worker::max_connections>},
    {"cwd", &shown<Worker, &Worker::cwd>},
    {"umask", [](const Worker& w) { return w.umask ? octal_text(*w.umask) : ""; }},
    {"nofile", &shown<Worker, &Worker::nofile>},
    {"nproc", [](const Worker& w) { return limit(w.nproc); }},
    {"memlock", [](const Worker& w) { return bytes_limit(w.memlock); }},
    {"core", [](const Worker& w) { return bytes_limit(w.core); }},
    {"nice", &shown<Worker, &Worker::nice>},
    {"sched", &shown<Worker, &Worker::sched>},
    {"affinity", &shown<Worker, &Worker::affinity>},
    {"recycle.requests", &shown<Worker, &Worker::recycle, &Recycle::requests>},
    {"recycle.lifetime", &shown<Worker, &Worker::recycle, &Recycle::lifetime>},
    {"recycle.memory", [](const Worker& w) { return bytes_text(w.recycle.memory_bytes); }},
    {"recycle.jitter", &shown<Worker, &Worker::recycle, &Recycle::jitter>},
};

constexpr Row<Settings> kRows[] = {
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
    {"messages.queue", [](const Settings& s) { return bytes_text(s.messages.queue); }},
    {"messages.policy", &shown<Settings, &Settings::messages, &Messages::policy>},
    {"http.address", [](const Settings& s) { return s.http.at ? address(*s.http.at) : ""; }},
    {"log.level", &shown<Settings, &Settings::log, &Log::level>},
    {"log.format", &shown<Settings, &Settings::log, &Log::format>},
    {"log.capture", &shown<Settings, &Settings::log, &Log::capture>},
    {"log.frame", &shown<Settings, &Settings::log, &Log::frame>},
    {"log.rotate", [](const Settings& s) { return rotate_text(s.log.rules); }},
    {"log.keep", kOfLog<&LogRules::keep>},
    {"log.gzip", kOfLog<&LogRules::gzip>},
    {"log.max_total", [](const Settings& s) { return bytes_text(s.log.rules.max_total); }},
};

constexpr Row<Agent> kIdentity[] = {
    {"user", [](const Agent& agent) { return user(agent.user); }},
    {"group", [](const Agent& agent) { return groups(agent.user); }},
};

}  // namespace

std::span<const Row<Settings>> fixed() { return kFixed; }
std::span<const Row<Settings>> top() { return kTop; }
std::span<const Row<Settings>> tables() { return kRows; }
std::span<const Row<Listen>> listen() { return kListen; }
std::span<const Row<Schedule>> schedule() { return kSchedule; }
std::span<const Row<Worker>> program() { return kProgram; }
std::span<const Row<Agent>> agent() { return kIdentity; }

std::string address(const Listen& listen) {
  if (listen.kind == Listen::Kind::unix_socket) return "unix:" + escaped(listen.path);
  if (listen.kind == Listen::Kind::passed) return "systemd:" + escaped(listen.path);
  return (listen.kind == Listen::Kind::udp ? "udp://" : "") + listen.address.text();
}

std::string when(const Schedule& schedule) {
  if (schedule.cron) return escaped(schedule.cron_text);
  return "every " + duration_text(schedule.every);
}

}  // namespace clusterd::config::change_rows
