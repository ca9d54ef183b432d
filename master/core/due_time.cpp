#include "master/core/due_time.h"

#include <algorithm>

namespace clusterd::core {
namespace {

constexpr WallSeconds kRepeatsNothing = 3600;

}  // namespace

void DueTime::begin(const Moment& now, const config::Schedule& schedule, const ZoneOffset& offset) {
  end();
  if (schedule.cron) {
    wall_ = next_time(*schedule.cron, now.seconds(), offset);
  } else if (schedule.every > Duration::zero()) {
    time_ = now.time + schedule.every;
  }
}

bool DueTime::take(const Moment& now, const config::Schedule& schedule, const ZoneOffset& offset) {
  if (time_ && now.time >= *time_) {
    // At the same beat as ever, with what is missed left out.
    *time_ += ((now.time - *time_) / schedule.every + 1) * schedule.every;
    return true;
  }
  if (!wall_ || now.seconds() < *wall_) return false;
  done_ = now.seconds();
  wall_ = next_time(*schedule.cron, *done_, offset);
  return true;
}

void DueTime::clock_set(const Moment& now, const config::Schedule& schedule,
                        const ZoneOffset& offset) {
  if (!schedule.cron || (wall_ && now.seconds() >= *wall_)) return;  // take() does it
  WallSeconds after = now.seconds();
  if (done_ && *done_ - after <= kRepeatsNothing) after = std::max(after, *done_);
  wall_ = next_time(*schedule.cron, after, offset);
}

std::optional<Duration> DueTime::left(const Moment& now) const {
  if (time_) return std::max(*time_ - now.time, Duration::zero());
  if (!wall_) return std::nullopt;
  const auto due = std::chrono::system_clock::time_point(std::chrono::seconds(*wall_));
  return std::max(std::chrono::duration_cast<Duration>(due - now.wall), Duration::zero());
}

}  // namespace clusterd::core
