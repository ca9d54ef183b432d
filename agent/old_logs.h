#pragma once

#include "common/log_rules.h"

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// How the files of a log follow one another: names, times, and which go. Pure but for the time
/// zone. The log is "shop.log", and old ones, whatever the zone does to its clocks, sort by age:
///
///     shop.log.2026-11-22        the lines of a day
///     shop.log.2026-11-22T23     of an hour; the second of two such hours adds ".1"
///     shop.log.2026-11-22T231507 up to that moment, if a size is what ends a file
///     shop.log.2026-11-22.1.gz   the same day once more, since the file had become too large
namespace clusterd::agent {

/// A file beside the log that is one of it.
struct OldLog {
  enum class Form : std::uint8_t { plain, gzip, unfinished };
  std::string name;
  std::string stamp;         ///< "2026-11-22"
  std::uint32_t number = 0;  ///< among those with the same stamp
  Form form = Form::plain;
  std::uint64_t size = 0;
  std::int64_t written_at = 0;  ///< nanoseconds since 1970
  bool is_one = true;           ///< and nothing that only has such a name

  /// The name without ".gz": what it was compressed from, or is.
  [[nodiscard]] std::string plain_name() const;
};

/// What `name` is, beside a log called `log`; nothing if it is none of it.
[[nodiscard]] std::optional<OldLog> as_old_log(std::string_view log, std::string_view name);

/// What the lines written at `when` have in the name of their file.
[[nodiscard]] std::string stamp_of(LogRules::Every every, std::time_t when);

/// When the day or hour that `now` is in is over, or may be: ask again then.
[[nodiscard]] std::time_t period_end(LogRules::Every every, std::time_t now);

/// Whether lines of `now` belong to another file than those of `began`. A clock that is set back by
/// a little is no reason for that.
[[nodiscard]] bool is_over(LogRules::Every every, std::time_t began, std::time_t now);

/// A name that none of `alike` has, and that is younger than all with the same stamp.
[[nodiscard]] std::string next_name(std::string_view log, std::string_view stamp,
                                    const std::vector<OldLog>& alike);

/// When the log's file has this size it is followed by a new one, whatever the time: a part of
/// max_total, so that old ones can go before there is too much. 0: never.
[[nodiscard]] std::uint64_t most_in_one(const LogRules& rules);

/// Oldest first.
void sort_by_age(std::vector<OldLog>& old);

/// Which of `old`, oldest first, have to go, so that there is room for a log of most_in_one() and
/// for one that is being compressed.
[[nodiscard]] std::vector<std::string> too_many(std::vector<OldLog> old, const LogRules& rules);

}  // namespace clusterd::agent
