#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace clusterd::config {

/// When a schedule is due, as cron(5) has it: a set of numbers a field, one bit each. Which time
/// zone they are of, and what comes of hours that a day has twice or not at all, is up to who looks
/// for the next one (core/cron_next.h).
struct Cron {
  std::uint64_t seconds = 1;   ///< bits 0 to 59
  std::uint64_t minutes = 0;   ///< bits 0 to 59
  std::uint64_t hours = 0;     ///< bits 0 to 23
  std::uint64_t days = 0;      ///< of the month: bits 1 to 31
  std::uint64_t months = 0;    ///< bits 1 to 12
  std::uint64_t weekdays = 0;  ///< bits 0 to 6, from Sunday
  /// The field has a * first. If both of them have not, a day that one of them has will do.
  bool any_day = false;
  bool any_weekday = false;

  friend bool operator==(const Cron&, const Cron&) = default;
};

inline constexpr std::uint64_t kEveryHour = (std::uint64_t{1} << 24U) - 1;

struct CronMistake {
  std::size_t column = 1;  ///< 1-based, in bytes
  std::string what;        ///< "hours: expected 0 to 23, got \"24\""
};

/// Five fields (minute, hour, day, month, weekday) or six (a second before them), with lists,
/// ranges, steps and names, or "@daily" and its like.
[[nodiscard]] std::variant<Cron, CronMistake> parse_cron(std::string_view text);

}  // namespace clusterd::config
