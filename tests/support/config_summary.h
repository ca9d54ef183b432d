#pragma once

#include "config/settings.h"

#include <chrono>
#include <sstream>
#include <string>

/// Settings as a few lines of text, which a test can compare.
namespace clusterd::test {

inline std::string as_ms(Duration duration) {
  return std::to_string(duration / std::chrono::milliseconds(1)) + "ms";
}

/// The name, what only some addresses have, policy, backlog and queue_timeout.
inline std::string summary(const config::Listen& listen) {
  std::ostringstream out;
  out << listen.name << ' ';
  if (listen.kind == config::Listen::Kind::unix_socket) {
    out << listen.path << ' ' << std::oct << listen.mode << std::dec << " <" << listen.owner
        << "> <" << listen.group << '>';
  } else {
    out << (listen.kind == config::Listen::Kind::udp ? "udp " : "") << listen.address.text()
        << (listen.nodelay ? " nodelay " : " delay ") << as_ms(listen.defer_accept)
        << (listen.v6only ? " v6only" : " v4too");
  }
  out << ' ' << static_cast<int>(listen.policy) << ' ' << listen.backlog << ' '
      << as_ms(listen.queue_timeout);
  return out.str();
}

inline std::string summary(const config::Schedule& schedule) {
  std::ostringstream out;
  out << "schedule " << schedule.name << ' ' << as_ms(schedule.every) << ' ' << schedule.cron_text
      << ' ' << static_cast<int>(schedule.target) << ' ' << schedule.action << ' ' << schedule.data
      << ' ' << schedule.immediate << static_cast<int>(schedule.overlap) << ' '
      << as_ms(schedule.timeout);
  for (const std::string& word : schedule.command) out << ' ' << word;
  return out.str();
}

inline std::string summary(const config::Worker& worker) {
  std::ostringstream out;
  out << worker.program << ':';
  for (const std::string& word : worker.command) out << ' ' << word;
  for (const auto& [name, value] : worker.env) out << ' ' << name << '=' << value;
  out << '\n';
  for (const Duration duration :
       {worker.ready_timeout, worker.drain_timeout, worker.kill_timeout, worker.stall_timeout,
        worker.heartbeat_timeout, worker.recycle.lifetime}) {
    out << as_ms(duration) << ' ';
  }
  out << worker.max_pending << ' ' << worker.max_connections << '\n';
  out << worker.recycle.requests << ' ' << worker.recycle.memory_bytes << ' '
      << worker.recycle.jitter << ' ' << worker.cwd;
  if (worker.umask) out << " umask " << std::oct << *worker.umask << std::dec;
  if (worker.nofile) out << " nofile " << *worker.nofile;
  if (worker.nice) out << " nice " << *worker.nice;
  if (worker.nproc) out << " nproc " << *worker.nproc;
  if (worker.memlock) out << " memlock " << *worker.memlock;
  if (worker.core) out << " core " << *worker.core;
  out << " sched " << static_cast<int>(worker.sched);
  if (worker.affinity.kind != config::Affinity::Kind::none) out << " on";
  for (const unsigned cpu : worker.affinity.cpus) out << ' ' << cpu;
  return out.str();
}

/// What an operator sees of the settings, on a few lines.
inline std::string summary(const config::Settings& s) {
  std::ostringstream out;
  out << s.file << ' ' << s.directory << ' ' << s.name << ' ' << s.workers << " ("
      << s.workers_reason << ")\n";
  if (s.user) out << s.user->user << ' ' << s.user->uid << ' ' << s.user->gid << '\n';
  for (const config::Listen& listen : s.listen) out << summary(listen) << '\n';
  out << summary(s.worker) << '\n';
  out << as_ms(s.restart.backoff_first) << ' ' << as_ms(s.restart.backoff_max) << ' '
      << s.restart.limit << ' ' << as_ms(s.restart.window) << ' '
      << static_cast<int>(s.restart.on_giveup) << ' ' << as_ms(s.restart.giveup_retry) << '\n'
      << s.reload.surge << ' ' << s.reload.max_unavailable << ' ' << s.reload.max_generations << ' '
      << as_ms(s.reload.settle) << '\n'
      << s.control.socket << ' ' << static_cast<int>(s.log.level) << ' ' << s.log.capture
      << s.log.frame << ' ' << s.messages.queue << ' ' << static_cast<int>(s.messages.policy)
      << (s.http.at ? " " + s.http.at->address.text() + s.http.at->path : "");
  out << ' ' << std::oct << s.control.mode << std::dec;
  if (s.control.group) out << ' ' << s.control.group->name;
  for (const config::Schedule& schedule : s.schedules) out << '\n' << summary(schedule);
  for (const auto& [event, argv] : s.hooks) {
    out << '\n' << event << ':';
    for (const std::string& word : argv) out << ' ' << word;
  }
  return out.str();
}

}  // namespace clusterd::test
