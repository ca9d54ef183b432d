#pragma once

#include "common/clock.h"
#include "config/settings.h"
#include "master/core/schedule_events.h"
#include "master/os/child_process.h"
#include "master/runtime/child_output.h"
#include "master/runtime/log_tail.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <sys/resource.h>

namespace clusterd::runtime {

/// The programs that schedules run: as the workers' user, in a process group each, of which nothing
/// is left when the program has ended. What they print goes to the log.
class Commands {
 public:
  using Id = core::schedule::RunId;
  /// `error` is empty if it ended well.
  using Ended = std::function<void(Id run, std::string error, std::string last_words)>;

  Commands(boost::asio::io_context& io, LogTail& log_tail, const rlimit& open_files, Ended ended)
      : io_(io), log_tail_(log_tail), open_files_(open_files), ended_(std::move(ended)), end_(io) {}

  /// If it cannot be started, `ended` is called before this returns.
  void start(Id run, const std::string& run_text, const config::Schedule& schedule,
             const config::Settings& settings);
  /// TERM, or KILL to the whole group.
  void end(Id run, bool now);
  void end_all_now();

  /// Calls `done` when all have ended; after `patience` they are killed.
  void finish(Duration patience, std::function<void()> done);

  [[nodiscard]] bool owns(pid_t pid) const;

 private:
  struct Running {
    Running(boost::asio::io_context& io, os::ChildProcess started)
        : process(std::move(started)), exit(io, process.pidfd()) {}
    ~Running() { exit.release(); }  // the pidfd is the process's
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    os::ChildProcess process;
    boost::asio::posix::stream_descriptor exit;
    ChildOutput output;
  };

  [[nodiscard]] Result<void> spawn(Id run, const std::string& run_text,
                                   const config::Schedule& schedule,
                                   const config::Settings& settings);
  void watch(Id run);
  void on_exit(Id run);

  boost::asio::io_context& io_;
  LogTail& log_tail_;
  rlimit open_files_;
  Ended ended_;
  std::map<Id, std::unique_ptr<Running>> running_;
  boost::asio::steady_timer end_;
  std::function<void()> done_;
};

}  // namespace clusterd::runtime
