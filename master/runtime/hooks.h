#pragma once

#include "common/clock.h"
#include "config/settings.h"
#include "master/os/child_process.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <sys/resource.h>

namespace clusterd::runtime {

/// Runs the programs of [hooks], each for an event, which it reads from stdin as a line of JSON. No
/// shell; the working directory is app.conf's. The master waits for none: few run at once, each for
/// a bounded time, and of those that wait for their turn what is too much is dropped and counted.
/// Whatever a hook leaves in its process group ends with it.
class Hooks {
 public:
  struct Limits {
    Duration timeout = std::chrono::seconds(10);
    std::size_t running = 4;
    std::size_t waiting = 64;
  };

  Hooks(boost::asio::io_context& io, const config::Settings& settings, const rlimit& open_files)
      : Hooks(io, settings, open_files, Limits{}) {}
  Hooks(boost::asio::io_context& io, const config::Settings& settings, const rlimit& open_files,
        const Limits& limits);

  /// From now on, for the next event.
  void configure(const config::Settings& settings);

  /// Runs the hook of this event, if there is one, now or in its turn.
  void run(const std::string& event, const std::string& json);

  /// Calls `done` when every hook has ended, or when the time of one hook is over: the rest is
  /// killed. For the end of the master, which a hook must hear of and may not hold up.
  void finish(std::function<void()> done);

  /// Whether this process is a hook that has not been reaped.
  [[nodiscard]] bool owns(pid_t pid) const;

  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct Job {
    std::string event;
    std::string json;
  };
  struct Running {
    Running(boost::asio::io_context& io, std::string name, os::ChildProcess started)
        : event(std::move(name)),
          process(std::move(started)),
          exit(io, process.pidfd()),
          timeout(io) {}
    ~Running() { exit.release(); }  // the pidfd is the process's
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    std::string event;
    os::ChildProcess process;
    boost::asio::posix::stream_descriptor exit;
    boost::asio::steady_timer timeout;
  };

  void start_next();
  void start(const Job& job);
  void watch(std::uint64_t id);
  void on_exit(std::uint64_t id);
  void tell_dropped();

  boost::asio::io_context& io_;
  rlimit open_files_;
  Limits limits_;
  std::string name_;
  std::string directory_;
  std::map<std::string, std::vector<std::string>> programs_;
  std::deque<Job> waiting_;
  std::map<std::uint64_t, std::unique_ptr<Running>> running_;
  std::uint64_t next_id_ = 1;
  std::uint64_t dropped_ = 0;
  std::uint64_t dropped_unsaid_ = 0;
  boost::asio::steady_timer end_;
  std::function<void()> done_;
};

}  // namespace clusterd::runtime
