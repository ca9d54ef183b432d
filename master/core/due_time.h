#pragma once

#include "common/clock.h"
#include "config/schedule_settings.h"
#include "master/core/cron_next.h"

#include <chrono>
#include <optional>

namespace clusterd::core {

/// Now, by the clock that nobody sets and by the one on the wall.
struct Moment {
  TimePoint time;
  std::chrono::system_clock::time_point wall;

  [[nodiscard]] WallSeconds seconds() const {
    return std::chrono::floor<std::chrono::seconds>(wall).time_since_epoch().count();
  }
};

/// When one schedule is due. An interval goes by the clock that nobody sets, and stands still while
/// the machine sleeps; cron goes by the wall clock. However much time has passed, by a leap of the
/// clock, a sleep or a master that was stopped, what is missed is due once and not more.
///
/// A wall clock that is set back by an hour or less repeats nothing: the schedule goes on when it
/// is past where it was. One that is set back further had been wrong, and is believed now.
class DueTime {
 public:
  void begin(const Moment& now, const config::Schedule& schedule, const ZoneOffset& offset);
  void end() { *this = DueTime(); }

  /// It is due; the next time is found. Once for each that it was due.
  [[nodiscard]] bool take(const Moment& now, const config::Schedule& schedule,
                          const ZoneOffset& offset);
  /// The wall clock, or the zone, is another.
  void clock_set(const Moment& now, const config::Schedule& schedule, const ZoneOffset& offset);

  /// At most one of the two.
  [[nodiscard]] const std::optional<TimePoint>& time() const { return time_; }
  [[nodiscard]] const std::optional<WallSeconds>& wall() const { return wall_; }
  /// How long until then; nothing if it is due never.
  [[nodiscard]] std::optional<Duration> left(const Moment& now) const;

 private:
  std::optional<TimePoint> time_;
  std::optional<WallSeconds> wall_;
  std::optional<WallSeconds> done_;  ///< up to then by the wall clock
};

}  // namespace clusterd::core
