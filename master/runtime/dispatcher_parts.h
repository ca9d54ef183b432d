#pragma once

#include "common/clock.h"
#include "common/ids.h"
#include "config/settings.h"
#include "master/core/balancer.h"
#include "master/core/queue_ages.h"
#include "master/os/listener.h"
#include "master/runtime/offer_lane.h"

#include <optional>
#include <vector>

/// What the dispatcher keeps books on.
namespace clusterd::runtime {

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

/// A worker that said hello.
struct DispatcherMember {
  ChildId child;
  SlotId slot{};
  OfferLane lane;
  std::uint32_t window = 0;
  std::vector<core::ListenerIndex> serves{};
  std::optional<core::Balancer::Seat> seat{};
  bool in_rotation = false;
  bool leaving = false;  ///< takes what waits, for nobody else will, and is then told of the end
  bool broken = false;
  unsigned idle_wakes = 0;
  TimePoint closed_until{};  ///< after a refusal: the worker is out of descriptors
};

}  // namespace clusterd::runtime
