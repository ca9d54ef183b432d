#pragma once

#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace clusterd::test {

/// Where the build put things; set by CMake.
[[nodiscard]] std::string clusterd_program();
[[nodiscard]] std::string http_worker();
[[nodiscard]] std::string echo_worker();
[[nodiscard]] std::string epoll_worker();
[[nodiscard]] std::string threads_worker();
/// Made with ThreadSanitizer; "" in a build that has other sanitizers.
[[nodiscard]] std::string threads_worker_tsan();
[[nodiscard]] std::string messages_worker();
[[nodiscard]] std::string fixture_worker();
[[nodiscard]] std::string fixture_agent();
/// "cache-worker", "cache-agent"
[[nodiscard]] std::string cache_example(const std::string& name);

/// A command line that root runs as this user and group, and perhaps one more group.
[[nodiscard]] std::vector<std::string> as(uid_t user, const std::vector<std::string>& argv,
                                          gid_t group = 0);

struct ClusterOptions {
  unsigned workers = 2;
  std::string policy = "round-robin";
  std::vector<std::string> command{};  ///< default: http-worker
  std::string worker_keys{};           ///< more lines of [worker]
  std::string listen_keys{};           ///< more lines of [[listen]]
  std::string log_keys{};              ///< more lines of [log]
  std::string more{};                  ///< more tables
  std::string top{};                   ///< more keys of the top level
  std::string control_keys{};          ///< more lines of [control]
  uid_t as = 0;                        ///< whom root starts the master as; 0: as itself
  bool wait_until_running = true;
  std::string address = "127.0.0.1:0";
  std::vector<int> passed{};         ///< sockets that the master gets as from a service manager
  std::string pidfile{};             ///< as seen from app.conf's folder
  std::string stop_delay{};          ///< "10s"
  std::vector<std::string> under{};  ///< a program that runs clusterd, and its arguments
  std::string err{};  ///< where the master's stderr goes; default: where log() reads it
};

/// The numbers of one status.
struct Counts {
  struct Worker {
    pid_t pid = 0;
    std::int64_t active = 0;
    std::int64_t pending = 0;
    std::int64_t taken = 0;
  };
  std::vector<Worker> workers;  ///< by slot
  std::int64_t accepted = 0;    ///< this and the next two: of the listener
  std::int64_t waiting = 0;
  std::int64_t expired = 0;
};

/// A real daemon on a port of the kernel's choice, in a folder of its own.
class Cluster {
 public:
  explicit Cluster(const ClusterOptions& options = {});

  [[nodiscard]] Program& master() { return *master_; }
  [[nodiscard]] std::uint16_t port();
  [[nodiscard]] std::string conf() const { return dir_.path("app.conf"); }
  [[nodiscard]] std::string control() const { return dir_.path("ctl.sock"); }
  [[nodiscard]] std::string log() const { return read_file(dir_.path("err")); }
  [[nodiscard]] const TempDir& dir() const { return dir_; }

  /// `clusterd VERB ... app.conf`
  [[nodiscard]] Finished verb(std::vector<std::string> words) const;
  /// status --json, or nothing while there is no answer.
  [[nodiscard]] std::optional<boost::json::value> status() const;
  /// What the status counts; nothing while there is no answer.
  [[nodiscard]] std::optional<Counts> counts() const;
  [[nodiscard]] std::vector<pid_t> workers() const;  ///< ready ones, by slot
  /// These are not ready any more, and that many others are. That they have died does not say so:
  /// the master may not have heard of it yet.
  [[nodiscard]] bool replaced(const std::vector<pid_t>& old, std::size_t others) const;
  [[nodiscard]] pid_t agent() const;
  [[nodiscard]] bool running(unsigned ready) const;  ///< "running" with that many ready
  /// The descriptors that the master has open, when it has ended its talks with verbs.
  [[nodiscard]] std::size_t fds() const;

 private:
  TempDir dir_;
  std::unique_ptr<Program> master_;
  std::uint16_t port_ = 0;
};

}  // namespace clusterd::test
