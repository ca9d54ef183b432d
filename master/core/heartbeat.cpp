#include "master/core/heartbeat.h"

#include <algorithm>
#include <utility>

namespace clusterd::core {
namespace {

constexpr Duration kLongestPace = std::chrono::milliseconds(800);
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

TimePoint Heartbeat::next_tick(TimePoint now) const {
  const Duration step = pace(timeout_);
  const TimePoint point((now.time_since_epoch() / step + 1) * step);
  const Duration patience = (pinged_ ? timeout_ : timeout_ / 2) - waited_;
  return patience > Duration::zero() ? std::min(point, now + patience) : point;
}

Heartbeat::Verdict Heartbeat::tick(TimePoint now, std::uint64_t turns) {
  const Duration since = now - std::exchange(last_tick_, now);
  if (timeout_ == Duration::zero()) return Verdict::nothing;
  if (turns_ != turns) {
    turns_ = turns;
    pinged_ = false;
    waited_ = Duration::zero();
    return Verdict::nothing;
  }
  waited_ = since > 2 * pace(timeout_) ? Duration::zero() : waited_ + since;
  if (!pinged_ && waited_ >= timeout_ / 2) {
    pinged_ = true;
    waited_ = timeout_ / 2;  // the other half is there to answer, however late this is
    return Verdict::ping;
  }
  return pinged_ && waited_ >= timeout_ ? Verdict::hung : Verdict::nothing;
}

}  // namespace clusterd::core
