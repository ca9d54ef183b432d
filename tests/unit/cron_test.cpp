#include "config/cron.h"

#include "master/core/cron_next.h"

#include <doctest/doctest.h>

#include <chrono>
#include <random>
#include <string>
#include <vector>

using namespace clusterd;
using namespace clusterd::config;
using core::next_time;
using core::WallSeconds;

namespace {

Cron good(const std::string& text) {
  const auto cron = parse_cron(text);
  if (const auto* mistake = std::get_if<CronMistake>(&cron)) FAIL(text << ": " << mistake->what);
  return std::get<Cron>(cron);
}

/// "COLUMN: WHAT", with ' for ".
std::string bad(const std::string& text) {
  const auto cron = parse_cron(text);
  const auto* mistake = std::get_if<CronMistake>(&cron);
  if (mistake == nullptr) FAIL("not refused: " << text);
  std::string what = std::to_string(mistake->column) + ": " + mistake->what;
  for (char& c : what) c = c == '"' ? '\'' : c;
  return what;
}

std::uint64_t bits(const std::vector<unsigned>& numbers) {
  std::uint64_t set = 0;
  for (const unsigned number : numbers) set |= std::uint64_t{1} << number;
  return set;
}

/// In UTC.
WallSeconds at(int year, unsigned month, unsigned day, int hour = 0, int minute = 0,
               int second = 0) {
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{month},
                                         std::chrono::day{day}};
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * 86400 + hour * 3600 + minute * 60 + second;
}

std::int64_t utc(WallSeconds) { return 0; }

/// In 2026: at 02:00 on March 29 it is 03:00, at 03:00 on October 25 it is 02:00.
std::int64_t berlin(WallSeconds time) {
  const bool summer = time >= at(2026, 3, 29, 1) && time < at(2026, 10, 25, 1);
  return summer ? 7200 : 3600;
}

/// Half an hour, and the other way round: summer ends at 02:00 on April 5, and begins at 02:00 on
/// October 4.
std::int64_t lord_howe(WallSeconds time) {
  const bool winter = time >= at(2026, 4, 4, 15) && time < at(2026, 10, 3, 15, 30);
  return winter ? 37800 : 39600;
}

/// What next_time() gives again and again.
std::vector<WallSeconds> times(const std::string& text, WallSeconds after, std::size_t count,
                               const core::ZoneOffset& offset) {
  std::vector<WallSeconds> all;
  for (std::size_t i = 0; i < count; ++i) {
    const auto next = next_time(good(text), after, offset);
    REQUIRE(next.has_value());
    all.push_back(after = *next);
  }
  return all;
}

}  // namespace

TEST_CASE("a line of cron is numbers, lists, ranges, steps and names") {
  const Cron cron = good("5,10-12 */6 1-10/3 jan,Oct-DEC mon-fri");
  CHECK(cron.seconds == bits({0}));
  CHECK(cron.minutes == bits({5, 10, 11, 12}));
  CHECK(cron.hours == bits({0, 6, 12, 18}));
  CHECK(cron.days == bits({1, 4, 7, 10}));
  CHECK(cron.months == bits({1, 10, 11, 12}));
  CHECK(cron.weekdays == bits({1, 2, 3, 4, 5}));
  CHECK_FALSE(cron.any_day);
  CHECK_FALSE(cron.any_weekday);
  CHECK(good("*/20 * * * * *").seconds == bits({0, 20, 40}));
  CHECK(good("  0\t0  *  *  *  ") == good("0 0 * * *"));
  CHECK(good("* * * * *").hours == kEveryHour);
  CHECK(good("0 0 * * 7") == good("0 0 * * sun"));
  CHECK(good("0 0 * * 0-7").weekdays == bits({0, 1, 2, 3, 4, 5, 6}));
  CHECK(good("0 0 * * fri-sun").weekdays == bits({5, 6, 0}));
  CHECK(good("0 0 * * 5-7").weekdays == bits({5, 6, 0}));
  CHECK(good("0 0 */2 * *").any_day);
  CHECK(good("0 0 1 * *").any_weekday);
}

TEST_CASE("there are words for what is usual") {
  CHECK(good("@daily") == good("0 0 * * *"));
  CHECK(good("@midnight") == good("@daily"));
  CHECK(good("@hourly") == good("0 * * * *"));
  CHECK(good("@weekly") == good("0 0 * * 0"));
  CHECK(good("@monthly") == good("0 0 1 * *"));
  CHECK(good("@yearly") == good("0 0 1 1 *"));
  CHECK(good("@annually") == good("@yearly"));
  CHECK(bad("@reboot") == "1: for once at the start, set immediate = true");
  CHECK(bad("@dayly").starts_with("1: expected '@yearly', "));
}

TEST_CASE("a mistake names its field and its column") {
  CHECK(bad("0 24 * * *") == "3: hours: expected 0 to 23, got '24'");
  CHECK(bad("60 0 * * *") == "1: minutes: expected 0 to 59, got '60'");
  CHECK(bad("0 0 0 * *") == "5: days: expected 1 to 31, got '0'");
  CHECK(bad("0 0 1 foo *") == "7: months: expected 1 to 12 or jan to dec, got 'foo'");
  CHECK(bad("0 0 * * 8") == "9: weekdays: expected 0 to 7 or sun to sat, got '8'");
  CHECK(bad("0 0,1,x * * *") == "7: hours: expected 0 to 23, got 'x'");
  CHECK(bad("0 5-3 * * *") == "3: hours: '5-3' ends before it begins");
  CHECK(bad("0 1-2-3 * * *") == "3: hours: expected a number or a range, got '1-2-3'");
  CHECK(bad("0 */0 * * *") == "5: hours: expected a step from 1 to 23, got '0'");
  CHECK(bad("*/60 0 * * *") == "3: minutes: expected a step from 1 to 59, got '60'");
  CHECK(bad("5/10 0 * * *") == "1: minutes: a step goes with * or a range, as in '*/10'");
  CHECK(bad("*/2/3 0 * * *") == "5: minutes: a second step in '*/2/3'");
  CHECK(bad("0 , * * *") == "3: hours: expected 0 to 23, got ''");
  CHECK(bad("0 -1 * * *") == "3: hours: expected 0 to 23, got ''");
  CHECK(bad("0 0 L * *") == "5: days: expected 1 to 31, got 'L'");
  CHECK(bad("0 0 * *").ends_with("or 6 with seconds first; got 4"));
  CHECK(bad("1 2 3 4 5 6 7").starts_with("13: expected 5 fields"));
  CHECK(bad("").starts_with("1: expected 5 fields"));
  CHECK(bad("0 0 30 2 *") == "5: days: no month that is named has such a day");
  CHECK(bad("0 0 31 4,6,9,11 *") == "5: days: no month that is named has such a day");
  CHECK(bad(std::string(300, ' ')) == "257: more than 256 bytes");
}

TEST_CASE("the next time is the first that all fields mean") {
  const auto next = [](const std::string& text, WallSeconds after) {
    return next_time(good(text), after, &utc).value_or(-1);
  };
  CHECK(next("0 0 * * *", at(2026, 11, 22, 12)) == at(2026, 11, 23));
  CHECK(next("0 0 * * *", at(2026, 11, 23)) == at(2026, 11, 24));
  CHECK(next("*/10 * * * *", at(2026, 11, 22, 12, 9, 59)) == at(2026, 11, 22, 12, 10));
  CHECK(next("*/10 * * * * *", at(2026, 11, 22, 12, 9, 59)) == at(2026, 11, 22, 12, 10));
  CHECK(next("30 8 * * mon-fri", at(2026, 11, 20, 9)) == at(2026, 11, 23, 8, 30));
  CHECK(next("59 23 31 12 *", at(2026, 1, 1)) == at(2026, 12, 31, 23, 59));
  CHECK(next("0 0 29 2 *", at(2026, 1, 1)) == at(2028, 2, 29));
  CHECK(next("0 0 29 2 *", at(2096, 3, 1)) == at(2104, 2, 29));
  CHECK(next("0 0 * * *", at(1969, 12, 31, 12)) == at(1970, 1, 1));
  // Either a 13th or a Friday, if both are said.
  CHECK(next("0 0 13 * fri", at(2026, 11, 14)) == at(2026, 11, 20));
  CHECK(next("0 0 13 * fri", at(2026, 11, 11)) == at(2026, 11, 13));
  // Both, if one of them begins with a *: every other day that is a Friday.
  CHECK(next("0 0 */2 * fri", at(2026, 11, 20)) == at(2026, 11, 27));
}

TEST_CASE("DST: what the clocks leap over is due when they leap, once") {
  const WallSeconds leap = at(2026, 3, 29, 1);
  CHECK(times("30 2 * * *", at(2026, 3, 27, 12), 3, &berlin) ==
        std::vector{at(2026, 3, 28, 1, 30), leap, at(2026, 3, 30, 0, 30)});
  CHECK(times("*/20 2,3 * * *", leap - 1, 3, &berlin) ==
        std::vector{leap, leap + 1200, leap + 2400});
  CHECK(times("0 * * * *", leap - 3601, 3, &berlin) == std::vector{leap - 3600, leap, leap + 3600});
  CHECK(next_time(good("30 2 * * *"), leap, &berlin) == at(2026, 3, 30, 0, 30));
  CHECK(next_time(good("10 2 4 10 *"), at(2026, 10, 3), &lord_howe) == at(2026, 10, 3, 15, 30));
}

TEST_CASE("DST: what the clocks show twice is due the first time, unless every hour is meant") {
  const WallSeconds first = at(2026, 10, 25, 0);  // 02:00 the first time, and an hour later again
  CHECK(times("30 2 * * *", at(2026, 10, 24, 12), 2, &berlin) ==
        std::vector{first + 1800, at(2026, 10, 26, 1, 30)});
  CHECK(next_time(good("30 2 * * *"), first + 3600, &berlin) == at(2026, 10, 26, 1, 30));
  CHECK(times("30 * * * *", first, 3, &berlin) ==
        std::vector{first + 1800, first + 5400, first + 9000});
  CHECK(times("*/30 1-3 * * *", first, 4, &berlin) ==
        std::vector{first + 1800, first + 7200, first + 9000, at(2026, 10, 26, 0)});
  CHECK(times("45 1 * * *", at(2026, 4, 4, 12), 2, &lord_howe) ==
        std::vector{at(2026, 4, 4, 14, 45), at(2026, 4, 5, 15, 15)});
}

namespace {

/// What next_time() should give around one of the two changes in Berlin: found second by second.
WallSeconds searched(const Cron& cron, WallSeconds after, WallSeconds turn, bool spring) {
  const auto means = [&](std::int64_t local) {
    const auto minute = static_cast<unsigned>(local / 60 % 60);
    const auto hour = static_cast<unsigned>(local / 3600 % 24);
    return local % 60 == 0 && ((cron.minutes >> minute) & (cron.hours >> hour) & 1U) != 0;
  };
  bool leapt = false;  // the hour that is not there is meant
  for (int second = 0; spring && second < 3600; second += 60) {
    leapt = leapt || means(turn + 3600 + second);
  }
  for (WallSeconds time = after + 1;; ++time) {
    if (leapt && time == turn) return time;
    const bool again = !spring && time >= turn && time < turn + 3600;
    const bool counts = !again || cron.hours == kEveryHour;
    if (counts && means(time + berlin(time))) return time;
  }
}

std::string any_field(std::mt19937_64& random, unsigned low, unsigned high) {
  const auto pick = [&](unsigned count) { return static_cast<unsigned>(random() % count); };
  const unsigned number = low + pick(high - low + 1);
  switch (pick(4)) {
    case 0:
      return "*";
    case 1:
      return "*/" + std::to_string(1 + pick(high - low));
    case 2:
      return std::to_string(number);
    default:
      return std::to_string(number) + "," + std::to_string(low + pick(high - low + 1));
  }
}

}  // namespace

TEST_CASE("the next time is what a search through every second finds") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    const bool spring = random() % 2 == 0;
    const WallSeconds turn = spring ? at(2026, 3, 29, 1) : at(2026, 10, 25, 1);
    const std::string text = any_field(random, 0, 59) + " " + any_field(random, 0, 4) + " * * *";
    const WallSeconds after = turn - 5 * 3600 + static_cast<std::int64_t>(random() % (9 * 3600));
    CAPTURE(text);
    CAPTURE(after - turn);
    const Cron cron = good(text);
    CHECK(next_time(cron, after, &berlin) == searched(cron, after, turn, spring));
  }
}
