#pragma once

#include "common/clock.h"
#include "common/ids.h"
#include "master/core/heartbeat.h"
#include "master/core/recycle.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <sys/types.h>

namespace clusterd::runtime {

/// Looks after the workers that are ready: whose loop hangs, and who is to be recycled. Decides
/// by core::Heartbeat and core::RecycleRule, and only tells.
class Health {
 public:
  /// What a worker says of itself, on its page.
  struct Sample {
    std::uint64_t turns = 0;
    std::uint64_t requests = 0;
    std::uint32_t active = 0;
    TimePoint took_at{};  ///< when it last took a connection; TimePoint{} = never
  };
  struct Events {
    std::function<Sample(ChildId)> sample;
    /// Its loop is to be made to turn.
    std::function<void(ChildId)> ping;
    /// `evidence` has lines for the log. It is not watched any more.
    std::function<void(ChildId, std::string evidence, std::string why)> hung;
    /// It would be hung, but a debugger holds it: for the log, once. It is left alone until then.
    std::function<void(ChildId, std::string why)> traced;
    /// Told again every half minute as long as it is due: perhaps it could not be done yet.
    std::function<void(ChildId, std::string why)> recycle;
  };
  /// What holds for one worker; those of another generation may have other terms.
  struct Terms {
    pid_t pid = 0;
    TimePoint birth{};
    bool counts_turns = false;     ///< it said so with hello; else only its watchdog counts
    Duration heartbeat_timeout{};  ///< 0 = never hung
    core::RecycleLimits recycle{};
  };

  Health(boost::asio::io_context& io, std::uint64_t seed, Events events);

  /// From when it is ready, since before that a program may take its time between two turns.
  void watch(ChildId child, const Terms& terms);
  /// It was asked to leave or is gone.
  void unwatch(ChildId child);

  /// It said WATCHDOG=1. Who said so once has to go on saying so.
  void said_watchdog(ChildId child);
  /// It said WATCHDOG=trigger.
  void said_trigger(ChildId child);

 private:
  struct Watched {
    Terms terms;
    core::Heartbeat loop;
    std::optional<core::Heartbeat> watchdog{};
    std::uint64_t watchdogs = 0;  ///< WATCHDOG=1 so far
    core::RecycleRule rule;
    TimePoint beats_at{};
    std::optional<TimePoint> recycle_told_at{};
    bool told_traced = false;
  };

  static void set_beat(Watched& watched);
  void arm();
  void look();
  void beat(ChildId child, Watched& watched, TimePoint now);
  void found_hung(ChildId child, Watched& watched, std::string why);
  void check_recycling(ChildId child, Watched& watched, TimePoint now);

  boost::asio::steady_timer timer_;
  std::mt19937_64 random_;
  Events events_;
  std::map<ChildId, Watched> watched_;
  TimePoint recycling_at_{};
  std::optional<TimePoint> armed_for_;
};

}  // namespace clusterd::runtime
