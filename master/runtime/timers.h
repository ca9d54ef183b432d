#pragma once

#include "common/clock.h"
#include "master/core/child_fsm.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>

namespace clusterd::runtime {

/// The core's timers: many deadlines on one timer of the loop. None is ever cancelled; the core
/// tells a late one by its id.
class Timers {
 public:
  Timers(boost::asio::io_context& io, std::function<void(core::TimerId)> fired)
      : timer_(io), fired_(std::move(fired)) {}

  void set(core::TimerId id, TimePoint at);
  void clear();

 private:
  void arm();

  boost::asio::steady_timer timer_;
  std::function<void(core::TimerId)> fired_;
  std::multimap<TimePoint, core::TimerId> deadlines_;
};

}  // namespace clusterd::runtime
