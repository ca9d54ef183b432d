#pragma once

#include "config/cron.h"

#include <cstdint>
#include <functional>
#include <optional>

namespace clusterd::core {

/// Seconds since the epoch, of the wall clock.
using WallSeconds = std::int64_t;
/// How far local time is ahead of UTC at that moment, in seconds.
using ZoneOffset = std::function<std::int64_t(WallSeconds)>;

/// The first moment after `after` that the schedule means; nothing if there is none in 40 years.
///
/// A local time that the day does not have, since the clocks leap over it, is the moment of the
/// leap: a job at 02:30 runs once, at 03:00. One that the day has twice is meant once, the first
/// time; but a schedule that means every hour goes on in both.
[[nodiscard]] std::optional<WallSeconds> next_time(const config::Cron& cron, WallSeconds after,
                                                   const ZoneOffset& offset);

}  // namespace clusterd::core
