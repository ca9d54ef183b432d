#pragma once

#include "common/address.h"
#include "common/clock.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace clusterd::config {

/// Which worker gets a new connection.
enum class Policy : std::uint8_t {
  round_robin,  ///< the master accepts and hands connections out in strict rotation
  accept_race,  ///< the workers accept on the shared listening socket
};

/// How the master and a worker talk.
enum class Protocol : std::uint8_t {
  native,  ///< the worker library, or whoever else says hello on the channel
};

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

/// [[listen]]
struct Listen {
  std::string name;  ///< default: the address as written
  Address address;
  Policy policy = Policy::round_robin;
  int backlog = 4096;
};

/// [worker]
struct Worker {
  std::vector<std::string> command;  ///< as written; command[0] is argv[0] of the child
  std::string program;               ///< absolute path of the executable file
  Protocol protocol = Protocol::native;
  std::map<std::string, std::string> env;
  Duration ready_timeout = std::chrono::seconds(30);
  Duration drain_timeout = std::chrono::seconds(5);
  Duration kill_timeout = std::chrono::seconds(5);
  Duration stall_timeout = std::chrono::seconds(1);
  std::uint32_t max_pending = 16;  ///< 1..1024 untaken connections a worker may hold
};

/// [restart]
struct Restart {
  Duration backoff_first = std::chrono::milliseconds(100);
  Duration backoff_max = std::chrono::seconds(10);
};

/// [control]
struct Control {
  std::string socket;  ///< absolute path
};

/// [log]
struct Log {
  LogLevel level = LogLevel::info;
};

/// Everything an operator may say in app.conf, checked, with the defaults filled in.
struct Settings {
  std::string file;            ///< real path of app.conf
  std::string directory;       ///< its folder: relative paths start here, workers run here
  std::string name;            ///< default: the file's stem
  std::uint32_t workers = 1;   ///< resolved
  std::string workers_reason;  ///< why that many, if "auto" was said; else empty
  std::vector<Listen> listen;
  Worker worker;
  Restart restart;
  Control control;
  Log log;
};

}  // namespace clusterd::config
