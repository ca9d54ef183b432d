#include "master/core/heartbeat.h"

#include <algorithm>
#include <utility>

namespace clusterd::core {
namespace {

constexpr Duration kLongestPace = std::chrono::milliseconds(400);
constexpr Duration kShortestPace = std::chrono::milliseconds(10);
constexpr Duration::rep kFewestParts = 4;

constexpr Duration::rep divided_up(Duration::rep number, Duration::rep by) {
  return number / by + (number % by != 0 ? 1 : 0);
}

}  // namespace

Duration Heartbeat::pace(Duration timeout) {
  const Duration::rep parts =
      std::max(kFewestParts, divided_up(timeout.count(), kLongestPace.count()));
  return std::max(kShortestPace, Duration(divided_up(timeout.count(), parts)));
}

Heartbeat::Verdict Heartbeat::tick(TimePoint now, std::uint64_t turns) {
  const Duration since = now - std::exchange(last_tick_, now);
  if (timeout_ == Duration::zero()) return Verdict::nothing;
  if (turns_ != turns) {
    turns_ = turns;
    pinged_ = false;
    return Verdict::nothing;
  }
  if (!std::exchange(pinged_, true)) {
    waited_ = Duration::zero();
    return Verdict::ping;
  }
  waited_ = since > 2 * pace(timeout_) ? Duration::zero() : waited_ + since;
  return waited_ >= timeout_ ? Verdict::hung : Verdict::nothing;
}

}  // namespace clusterd::core
