#pragma once

#include "common/clock.h"

#include <csignal>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace clusterd::config {

/// Which worker gets a new connection.
enum class Policy : std::uint8_t {
  round_robin,        ///< the master accepts and hands connections out in strict rotation
  accept_race,        ///< the workers accept on the shared socket
  least_connections,  ///< the master accepts, and the worker with the fewest open ones gets it
  sticky,             ///< the master accepts, and a client address keeps its worker
};

/// How the master and a worker talk.
enum class Protocol : std::uint8_t {
  native,      ///< the worker library, or whoever else says hello on the channel
  node,        ///< a worker of Node's cluster, which does not know the difference
  node_fork,   ///< a child of Node's child_process, which is sent sockets as messages
  listen_fds,  ///< no channel: it inherits the listeners, as from systemd
  none,        ///< no channel, and no sockets
};

/// The scheduling policy of a worker.
enum class Sched : std::uint8_t { other, batch };

/// Where the kernel may run a worker.
struct Affinity {
  enum class Kind : std::uint8_t {
    none,  ///< wherever the master may run
    slot,  ///< each slot has one of the CPUs on which the master may run, in turn
    list,  ///< each slot has one of `cpus`, in turn
  };
  Kind kind = Kind::none;
  std::vector<unsigned> cpus;

  friend bool operator==(const Affinity&, const Affinity&) = default;
};

/// A resource limit that is none.
inline constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

/// worker.ready: from when on a worker is taken to serve.
struct Ready {
  enum class When : std::uint8_t {
    automatic,  ///< as its protocol has it
    listening,  ///< it listens (node)
    message,    ///< its program says so (node)
    notified,   ///< it has said READY=1
    started,    ///< its program runs
    probed,     ///< it is `alive` old, and what else is wanted was seen
  };
  When when = When::automatic;
  Duration alive = std::chrono::seconds(1);
  bool tcp = false;   ///< a connection to a listener was accepted by somebody
  std::string http;   ///< a request for this path was answered with 2xx or 3xx; empty: not asked
  std::string probe;  ///< the listener on which that is seen; empty: none is asked

  friend bool operator==(const Ready&, const Ready&) = default;
};

/// worker.recycle: when a healthy worker is replaced. Zero of a thing: never for its sake.
struct Recycle {
  std::uint64_t requests = 0;
  Duration lifetime = Duration::zero();
  std::uint64_t memory_bytes = 0;
  double jitter = 0.1;  ///< 0..1: the limits of each worker differ by a random share of up to this

  friend bool operator==(const Recycle&, const Recycle&) = default;
};

/// [worker]
struct Worker {
  std::vector<std::string> command;  ///< as written; command[0] is argv[0] of the child
  std::string program;               ///< absolute path of the executable file
  Protocol protocol = Protocol::native;
  std::optional<Policy> policy;  ///< of listeners that are opened for a worker; empty: as Node's
  std::map<std::string, std::string> env;
  std::vector<std::string> env_files;  ///< absolute paths of what `env` was read from, in part
  std::string stdin_listener;  ///< the name of the listener that is descriptor 0 too; empty: none
  Ready ready;
  int drain_signal = SIGTERM;  ///< asks a worker without a channel to leave
  Duration ready_timeout = std::chrono::seconds(30);
  Duration drain_timeout = std::chrono::seconds(5);
  Duration kill_timeout = std::chrono::seconds(5);
  Duration stall_timeout = std::chrono::seconds(1);
  Duration heartbeat_timeout = std::chrono::seconds(30);  ///< zero: a hang is not looked for
  Recycle recycle;
  std::uint32_t max_pending = 16;     ///< 1..1024 untaken connections a worker may hold
  std::uint32_t max_connections = 0;  ///< open connections a worker may hold; 0: no limit
  Sched sched = Sched::other;
  std::string cwd;                       ///< absolute; default: Settings::directory
  std::optional<unsigned> umask;         ///< empty, as the next five: as clusterd's own
  std::optional<std::uint64_t> nofile;   ///< both limits of RLIMIT_NOFILE; kUnlimited is none, ...
  std::optional<std::uint64_t> nproc;    ///< ... as of RLIMIT_NPROC,
  std::optional<std::uint64_t> memlock;  ///< RLIMIT_MEMLOCK, in bytes,
  std::optional<std::uint64_t> core;     ///< and RLIMIT_CORE, in bytes
  std::optional<int> nice;               ///< -20..19
  Affinity affinity;

  friend bool operator==(const Worker&, const Worker&) = default;
};

}  // namespace clusterd::config
