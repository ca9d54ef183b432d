#pragma once

#include "common/clock.h"
#include "common/protocol.h"
#include "config/settings.h"
#include "master/runtime/channel.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace clusterd::runtime {

/// The pipe that the log goes into, if the agent writes its file, and that file.
struct LogSink {
  int read = -1;     ///< the end for the agent
  std::string path;  ///< without a symbolic link in it
};

/// The master's part of a log that is rotated: gives each agent the pipe, tells it what app.conf
/// says, and looks whether anybody reads. If nobody does, that is said where it can be seen.
class LogService {
 public:
  /// `period_over`: a day or an hour of the log is over.
  LogService(boost::asio::io_context& io, const config::Log& settings, std::optional<LogSink> sink,
             std::function<void()> period_over);

  [[nodiscard]] bool has_file() const { return sink_.has_value(); }
  /// The agent has been welcomed.
  void serve(std::shared_ptr<Channel> agent);
  void said(const protocol::LogWritten& what);
  /// False if there is no agent.
  bool reopen();

  /// A reload is done.
  void commit(const config::Log& settings);

  /// Why the log is not written, as the agent said; empty if it is.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  void tell(bool with_pipe);
  void watch();
  void look();

  config::Log settings_;
  std::optional<LogSink> sink_;
  std::function<void()> period_over_;
  std::shared_ptr<Channel> agent_;
  bool was_written_ = false;
  std::string error_;
  boost::asio::steady_timer timer_;
  std::uint64_t taken_ = 0;  ///< bytes that the agent had taken at the last look
  bool stuck_ = false;
};

}  // namespace clusterd::runtime
