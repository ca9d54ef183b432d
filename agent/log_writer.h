#pragma once

#include "agent/log_file.h"
#include "agent/old_log_keeper.h"
#include "common/clock.h"
#include "common/log_rules.h"
#include "common/unique_fd.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <optional>
#include <string>

namespace clusterd::agent {

/// Writes what comes through a pipe to the log's file, begins a new file when it is time to, and
/// looks after the old ones. What cannot be written stays in the pipe.
class LogWriter {
 public:
  struct Events {
    std::function<void()> period_over;  ///< a day or an hour: programs may have files of their own
    /// Why nothing can be written, and once it can, nothing.
    std::function<void(const std::string& error)> wrote;
    std::function<void(const std::string& text)> complain;  ///< of what is less than that
  };
  using SystemClock = std::chrono::system_clock;
  using Now = std::function<SystemClock::time_point()>;

  LogWriter(boost::asio::io_context& io, Events events, Now now = &SystemClock::now);

  /// The pipe's end does not block. What cannot be opened is tried again.
  [[nodiscard]] Result<void> begin(UniqueFd pipe, std::string path, const LogRules& rules);
  /// New rules, and the file anew.
  void begin_again(const LogRules& rules);

  /// The end: what is in the pipe is written.
  void finish();

 private:
  /// What ends a file: a time, or its size.
  enum class Due : std::uint8_t { no, time, size };

  [[nodiscard]] std::time_t now() const { return SystemClock::to_time_t(now_()); }
  [[nodiscard]] Result<void> open();
  void open_later();
  void wait();
  void on_readable();
  [[nodiscard]] bool take(std::size_t most);
  [[nodiscard]] std::size_t room() const;
  void watch_clock();
  void on_clock();
  void turn_over();
  [[nodiscard]] bool end_line();
  void rotate();
  [[nodiscard]] Result<void> begin_file(std::time_t now);
  void say(std::string error);

  boost::asio::io_context& io_;
  Events events_;
  Now now_;
  std::string path_;
  LogRules rules_;
  std::optional<boost::asio::posix::stream_descriptor> pipe_;
  std::optional<LogFile> file_;
  UniqueFd peek_in_;  ///< a copy of what is in the pipe, to look at
  UniqueFd peek_out_;
  boost::asio::steady_timer retry_;
  boost::asio::steady_timer clock_;
  OldLogKeeper keeper_;
  std::time_t began_ = 0;  ///< when the first line of the file was written
  std::time_t told_ = 0;   ///< of the day or hour that period_over was told of, or of began_
  Due due_ = Due::no;
  TimePoint not_before_{};  ///< when it may be tried again to begin a new file
  std::string error_;
};

}  // namespace clusterd::agent
