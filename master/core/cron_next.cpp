#include "master/core/cron_next.h"

#include <algorithm>
#include <bit>
#include <chrono>

namespace clusterd::core {
namespace {

using std::chrono::sys_days;

/// Once in 28 years a 29th of February is a given weekday; between 1896 and 1904, or 2096 and 2104,
/// there is none at all.
constexpr std::int64_t kFarthest = 40;
constexpr std::int64_t kDay = 24 * 3600;

bool has(std::uint64_t set, unsigned number) { return ((set >> number) & 1U) != 0; }

/// The smallest of the set from `from` on.
std::optional<unsigned> first_from(std::uint64_t set, unsigned from) {
  const std::uint64_t rest = from > 63 ? 0 : set >> from << from;
  if (rest == 0) return std::nullopt;
  return static_cast<unsigned>(std::countr_zero(rest));
}

bool fits(const config::Cron& cron, sys_days day) {
  const std::chrono::year_month_day date(day);
  if (!has(cron.months, static_cast<unsigned>(date.month()))) return false;
  const bool by_day = has(cron.days, static_cast<unsigned>(date.day()));
  const bool by_weekday = has(cron.weekdays, std::chrono::weekday(day).c_encoding());
  if (!cron.any_day && !cron.any_weekday) return by_day || by_weekday;
  return by_day && by_weekday;
}

/// The first second of a day, from `from` on, that is meant.
std::optional<std::int64_t> time_of_day(const config::Cron& cron, std::int64_t from) {
  const auto from_hour = static_cast<unsigned>(from / 3600);
  const auto from_minute = static_cast<unsigned>(from / 60 % 60);
  const auto from_second = static_cast<unsigned>(from % 60);
  const auto at = [](unsigned hour, unsigned minute, unsigned second) {
    return std::int64_t{hour} * 3600 + std::int64_t{minute} * 60 + second;
  };
  const unsigned first_minute = *first_from(cron.minutes, 0);
  const unsigned first_second = *first_from(cron.seconds, 0);
  if (has(cron.hours, from_hour)) {
    if (has(cron.minutes, from_minute)) {
      const auto second = first_from(cron.seconds, from_second);
      if (second) return at(from_hour, from_minute, *second);
    }
    const auto minute = first_from(cron.minutes, from_minute + 1);
    if (minute) return at(from_hour, *minute, first_second);
  }
  const auto hour = first_from(cron.hours, from_hour + 1);
  if (!hour) return std::nullopt;
  return at(*hour, first_minute, first_second);
}

/// The first local time after `local` that is meant, both as seconds from 1970 in that zone.
std::optional<std::int64_t> next_local(const config::Cron& cron, std::int64_t local) {
  const std::int64_t first = local + 1;
  std::int64_t day = first >= 0 ? first / kDay : (first - kDay + 1) / kDay;
  std::int64_t from = first - day * kDay;
  for (const std::int64_t last = day + kFarthest * 366; day <= last; ++day) {
    if (fits(cron, sys_days(std::chrono::days(day)))) {
      if (const auto time = time_of_day(cron, from)) return day * kDay + *time;
    }
    from = 0;
  }
  return std::nullopt;
}

/// The first moment in (from, to] that has another offset than `usual`, which `from` has. Of two
/// within a day that undo each other neither may be seen.
std::optional<WallSeconds> change(WallSeconds from, WallSeconds to, std::int64_t usual,
                                  const ZoneOffset& offset) {
  while (from < to) {
    WallSeconds before = from;
    WallSeconds after = std::min(from + kDay, to);
    from = after;
    if (offset(after) == usual) continue;
    while (after - before > 1) {
      const WallSeconds middle = before + (after - before) / 2;
      (offset(middle) == usual ? before : after) = middle;
    }
    return after;
  }
  return std::nullopt;
}

/// The clocks of that day showed the same time before.
bool is_second(WallSeconds time, std::int64_t now, const ZoneOffset& offset) {
  const std::int64_t before = offset(time - kDay);
  return before > now && offset(time + now - before) == before;
}

}  // namespace

std::optional<WallSeconds> next_time(const config::Cron& cron, WallSeconds after,
                                     const ZoneOffset& offset) {
  if (cron.minutes == 0 || cron.hours == 0 || cron.seconds == 0) return std::nullopt;
  const bool in_both = cron.hours == config::kEveryHour;
  WallSeconds from = after;   // what is looked for comes after it, ...
  WallSeconds since = after;  // ... and from here on local time is so far ahead:
  std::int64_t ahead = offset(after);
  for (;;) {
    const auto local = next_local(cron, from + ahead);
    if (!local) return std::nullopt;
    const WallSeconds time = *local - ahead;
    const auto changed = change(since, time, ahead, offset);
    if (!changed) {
      if (in_both || !is_second(time, ahead, offset)) return time;
      from = since = time;
      continue;
    }
    const std::int64_t next = offset(*changed);
    if (next > ahead && *local < *changed + next) return changed;
    from = *changed - 1;
    since = *changed;
    ahead = next;
  }
}

}  // namespace clusterd::core
