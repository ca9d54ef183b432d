#pragma once

#include "common/clock.h"
#include "common/error.h"
#include "common/ids.h"
#include "config/settings.h"
#include "master/core/balancer.h"
#include "master/core/queue_ages.h"
#include "master/os/listener.h"
#include "master/runtime/lane.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// What the dispatcher is told and tells, and what it keeps books on.
namespace clusterd::runtime {

struct DispatcherOptions {
  std::uint32_t window = 16;
  Duration stall_timeout{};           ///< 0 = never
  std::uint32_t max_connections = 0;  ///< open ones a worker may hold; 0 = no limit

  [[nodiscard]] static DispatcherOptions of(const config::Worker& worker) {
    return {worker.max_pending, worker.stall_timeout, worker.max_connections};
  }
};

struct DispatcherEvents {
  /// It lied on its page or flooded its eventfd.
  std::function<void(ChildId, std::string)> broke_protocol;
  /// It left a connection untaken for stall_timeout; `count` connections go to others.
  std::function<void(ChildId, std::uint32_t count)> stalled;
  /// Accepting fails for want of a resource, and pauses.
  std::function<void(const Error&)> accept_failed;
  /// Nobody was ready to serve them for queue_timeout: `count` connections were reset.
  std::function<void(core::ListenerIndex, std::uint64_t count)> expired;
  /// It is about to be forgotten, with what was counted of it. May be empty.
  std::function<void(core::ListenerIndex)> removing = {};
};

/// Of one worker; what it says of itself are claims.
struct LaneStatus {
  std::uint64_t turns = 0;  ///< of its loop
  std::uint32_t active = 0;
  std::uint32_t pending = 0;
  std::uint64_t taken = 0;
  std::uint64_t requests = 0;
  TimePoint took_at{};  ///< when it last took one that it was offered
};

/// A listener that connections are accepted from.
struct DispatcherSource {
  os::Listener* listener = nullptr;
  config::Policy policy = config::Policy::round_robin;
  Duration queue_timeout{};  ///< 0 = connections wait for ever
  core::QueueAges ages;
  std::uint64_t expired = 0;
  bool armed = false;
  bool paused = false;
  bool suspended = false;  ///< nothing new from it, since it may be closed soon
  std::uint64_t accepted = 0;
  std::uint64_t raced = 0;  ///< accept race: what dead workers had accepted
};

/// A worker that can be given connections.
struct DispatcherMember {
  ChildId child;
  SlotId slot{};
  std::unique_ptr<Lane> lane;
  std::vector<core::ListenerIndex> serves{};
  std::optional<core::Balancer::Seat> seat{};
  bool in_rotation = false;
  bool leaving = false;  ///< takes what waits, for nobody else will, and is then told of the end
  bool broken = false;
  unsigned idle_wakes = 0;
  TimePoint closed_until{};  ///< after a refusal: the worker is out of descriptors
};

}  // namespace clusterd::runtime
