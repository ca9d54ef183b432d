#pragma once

#include "common/address.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/log_rules.h"
#include "config/identity.h"
#include "config/schedule_settings.h"
#include "config/worker_settings.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace clusterd::config {

inline constexpr std::uint32_t kMostWorkers = 1024;

using LogLevel = log::Level;
using LogFormat = log::Format;

/// What follows when more workers die than [restart] allows.
enum class OnGiveup : std::uint8_t {
  degrade,  ///< healthy workers stay, and one probe each giveup_retry tries to bring the rest back
  exit,     ///< the cluster stops, with exit code 75
};

/// [[listen]]
struct Listen {
  enum class Kind : std::uint8_t {
    tcp,
    unix_socket,
    udp,
    passed,  ///< open already: the service manager has passed it. What it is shows at the start.
  };

  std::string name;  ///< default: the address as written
  Kind kind = Kind::tcp;
  Address address;   ///< tcp and udp
  std::string path;  ///< unix_socket: absolute; passed: what the manager calls it
  Policy policy = Policy::round_robin;
  int backlog = 4096;
  Duration queue_timeout = std::chrono::seconds(30);  ///< zero: connections wait for ever
  bool nonblocking = true;                            ///< false only with protocol = listen-fds
  // tcp
  bool nodelay = true;
  Duration defer_accept = Duration::zero();  ///< zero: off
  bool v6only = true;                        ///< tcp and udp, of an IPv6 address
  // unix_socket
  unsigned mode = 0660;
  std::string owner;  ///< a user's name or number; empty: the master's
  std::string group;  ///< a group's name or number; empty: the master's

  friend bool operator==(const Listen&, const Listen&) = default;
};

/// [restart]
struct Restart {
  std::uint32_t limit = 0;  ///< deaths within `window` that mean give-up; 0: max(10, 3 x workers)
  Duration window = std::chrono::seconds(60);
  Duration backoff_first = std::chrono::milliseconds(100);
  Duration backoff_max = std::chrono::seconds(10);
  OnGiveup on_giveup = OnGiveup::degrade;
  Duration giveup_retry = std::chrono::seconds(60);
};

/// [reload]: how one generation of workers follows another. Not both of `surge` and
/// `max_unavailable` are 0.
struct Reload {
  std::uint32_t surge = 1;            ///< 0..1024 workers there may be beyond Settings::workers
  std::uint32_t max_unavailable = 0;  ///< 0..1024 workers there may be too few meanwhile
  std::uint32_t max_generations = 3;  ///< 2..100 that may have workers at once
  /// How long the first new workers must stay ready before an old one is asked to leave.
  Duration settle = std::chrono::seconds(1);
};

/// [control]
struct Control {
  std::string socket;  ///< absolute path
  unsigned mode = 0600;
  std::optional<Group> group;  ///< whose members may command the master, beside root and its user
};

/// [messages]: of what programs send each other.
struct Messages {
  enum class Policy : std::uint8_t {
    error,        ///< what does not fit is not queued
    drop_oldest,  ///< the oldest make room for it
  };
  std::size_t queue = 1024 * 1024;  ///< bytes that may wait for one receiver
  Policy policy = Policy::error;
};

/// [http]
struct Http {
  std::optional<Listen> at;  ///< tcp or unix_socket; empty: not served
};

/// [log]
struct Log {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  std::string file;     ///< absolute path of where all goes; empty: stdout and stderr
  bool capture = true;  ///< children print into pipes to the master, and not where it prints
  bool frame = true;    ///< captured lines of workers get time, slot and pid in front
  LogRules rules;       ///< if they rotate the file, the agent writes it
};

/// [agent]: the user's agent program, one process beside the workers.
struct Agent {
  Worker program;                ///< as far as one program without listeners has that
  std::optional<Identity> user;  ///< whom it runs as; empty: as the master

  /// There is one.
  [[nodiscard]] bool is_set() const { return !program.command.empty(); }
  friend bool operator==(const Agent&, const Agent&) = default;
};

/// Everything an operator may say in app.conf, checked, with the defaults filled in.
struct Settings {
  std::string file;              ///< real path of app.conf
  std::string directory;         ///< its folder: relative paths start here
  std::string name;              ///< default: the file's stem
  std::uint32_t workers = 1;     ///< resolved
  std::string workers_reason;    ///< why that many, if "auto" was said; else empty
  std::optional<Identity> user;  ///< whom workers and the agent run as; empty: as the master
  std::string pidfile;           ///< absolute path; empty: none
  /// After a stop was asked for, it serves on for so long, and says that it is not ready.
  Duration stop_delay = Duration::zero();
  std::vector<Listen> listen;
  Worker worker;
  Agent agent;
  Restart restart;
  Reload reload;
  Control control;
  std::vector<Schedule> schedules;
  Messages messages;
  Http http;
  Log log;
  /// [hooks]: by an event's name, the arguments of the program that is run with it. The first is
  /// the absolute path of the executable file.
  std::map<std::string, std::vector<std::string>> hooks;
};

}  // namespace clusterd::config
