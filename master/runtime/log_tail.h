#pragma once

#include "common/json.h"
#include "common/log.h"
#include "master/runtime/log_ring.h"
#include "master/runtime/reply.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace clusterd::runtime {

/// The last lines of the log, for who asks, and those that come, for who follows. A follower has
/// nothing of its own but its place in the ring: who does not read loses lines, is told how many,
/// and costs nobody anything.
class LogTail {
 public:
  explicit LogTail(boost::asio::io_context& io);
  LogTail(const LogTail&) = delete;
  LogTail& operator=(const LogTail&) = delete;
  ~LogTail();

  /// Lines that a child has printed.
  void printed(const LogOrigin& origin, log::Stream stream, std::string_view lines);

  /// There will be no more lines: who follows is told so.
  void end();

  /// The verb `logs`.
  void answer(const CheckedJson& request, const Reply& reply);

 private:
  struct Follower {
    Reply reply;
    LogFilter filter;
    LogRing::Number at = 0;     ///< the next line that it may get
    LogRing::Number until = 0;  ///< the last that was asked for, if it does not follow
    bool follows = false;
    std::uint64_t lost = 0;
  };

  void add(LogRing::When when, const LogOrigin& origin, LogLabel label, std::string_view lines);
  void pump_soon();
  void pump();
  /// False if there is more for it.
  [[nodiscard]] bool give(Follower& follower) const;

  std::vector<Follower> followers_;
  LogRing ring_;
  boost::asio::steady_timer timer_;
  bool timer_runs_ = false;
};

}  // namespace clusterd::runtime
