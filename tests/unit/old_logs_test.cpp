#include "agent/old_logs.h"

#include "tests/support/zone.h"

#include <doctest/doctest.h>

#include <ctime>
#include <string>
#include <vector>

namespace clusterd::agent {
namespace {

using test::Zone;
using Every = LogRules::Every;
using Names = std::vector<std::string>;

// As POSIX writes them, so that no database of zones is needed.
constexpr const char* kBerlin = "CET-1CEST,M3.5.0,M10.5.0/3";
/// Clocks go forward at midnight: there is none on that day.
constexpr const char* kNoMidnight = "EET-2SUM,M4.5.5/0,M10.5.5/0";

std::time_t utc(int year, int month, int day, int hour = 0, int minute = 0, int second = 0) {
  std::tm time{};
  time.tm_year = year - 1900;
  time.tm_mon = month - 1;
  time.tm_mday = day;
  time.tm_hour = hour;
  time.tm_min = minute;
  time.tm_sec = second;
  return ::timegm(&time);
}

OldLog old(const std::string& name, std::uint64_t size = 0) {
  auto log = as_old_log("shop.log", name);
  REQUIRE_MESSAGE(log.has_value(), name);
  log->size = size;
  return *log;
}

std::vector<OldLog> all(const Names& names, std::uint64_t size = 0) {
  std::vector<OldLog> logs;
  for (const std::string& name : names) logs.push_back(old(name, size));
  return logs;
}

bool is_none(const std::string& name) { return !as_old_log("shop.log", name).has_value(); }

}  // namespace

TEST_CASE("an old log is known by its name and no other file is") {
  CHECK(old("shop.log.2026-11-22").stamp == "2026-11-22");
  CHECK(old("shop.log.2024-02-29").number == 0);
  CHECK(old("shop.log.2026-11-22T23").number == 0);
  CHECK(old("shop.log.2026-11-22T00").number == 0);
  CHECK(old("shop.log.2026-12-31T235960").number == 0);
  CHECK(old("shop.log.2026-11-22T231507.12").number == 12);
  CHECK(old("shop.log.2026-11-22.1.gz").form == OldLog::Form::gzip);
  CHECK(old("shop.log.2026-11-22.1.gz").plain_name() == "shop.log.2026-11-22.1");
  CHECK(old("shop.log.2026-11-22.gz.part").form == OldLog::Form::unfinished);
  CHECK(old("shop.log.2026-11-22.gz.part").plain_name() == "shop.log.2026-11-22");
  for (const char* name : {"shop.log",
                           "shop.log.",
                           "shop.log.1",
                           "shop.log.gz",
                           "shop.log.2026-11-2",
                           "shop.logs",
                           "shop.log.2026-11-22.",
                           "shop.log.2026-11-22.0",
                           "shop.log.2026-11-22.x",
                           "shop.log.2026-11-22.1.2",
                           "shop.log.2026-11-22.zip",
                           "shop.log.2026-11-22.99999999999",
                           "shop.log-2026-11-22",
                           "other.log.2026-11-22",
                           "shop.log.2026-11-22T2",
                           "shop.log.old",
                           "shop.log.2026-11-22.01",
                           "shop.log.2026-13-01",
                           "shop.log.2026-00-10",
                           "shop.log.2026-02-29",
                           "shop.log.2026-04-31",
                           "shop.log.2026-11-00",
                           "shop.log.2026-11-22T24",
                           "shop.log.2026-11-22T236000",
                           "shop.log.2026-11-22T235961"}) {
    CAPTURE(name);
    CHECK(is_none(name));
  }
}

TEST_CASE("a name is never taken twice and the youngest of a stamp has the highest number") {
  CHECK(next_name("shop.log", "2026-11-22", {}) == "shop.log.2026-11-22");
  CHECK(next_name("shop.log", "2026-11-22", all({"shop.log.2026-11-21"})) == "shop.log.2026-11-22");
  CHECK(next_name("shop.log", "2026-11-22", all({"shop.log.2026-11-22.gz"})) ==
        "shop.log.2026-11-22.1");
  CHECK(next_name("shop.log", "2026-11-22",
                  all({"shop.log.2026-11-22.9", "shop.log.2026-11-22.10.gz"})) ==
        "shop.log.2026-11-22.11");
  auto logs = all({"shop.log.2026-11-22.10", "shop.log.2026-11-23", "shop.log.2026-11-22.9",
                   "shop.log.2026-11-22"});
  sort_by_age(logs);
  CHECK(logs[0].name == "shop.log.2026-11-22");
  CHECK(logs[1].name == "shop.log.2026-11-22.9");
  CHECK(logs[3].name == "shop.log.2026-11-23");
}

TEST_CASE("a day ends at local midnight") {
  const Zone zone(kBerlin);
  const std::time_t evening = utc(2026, 11, 22, 22, 50);
  CHECK(stamp_of(Every::day, evening) == "2026-11-22");
  CHECK(period_end(Every::day, evening) == utc(2026, 11, 22, 23));
  CHECK_FALSE(is_over(Every::day, evening, utc(2026, 11, 22, 22, 59, 59)));
  CHECK(is_over(Every::day, evening, utc(2026, 11, 22, 23)));
  CHECK(period_end(Every::day, utc(2026, 11, 22, 23)) == utc(2026, 11, 23, 23));
  CHECK(period_end(Every::day, utc(2026, 12, 31, 12)) == utc(2026, 12, 31, 23));
}

TEST_CASE("an hour ends at the full hour of the zone") {
  const Zone zone("IST-5:30");
  const std::time_t now = utc(2026, 11, 22, 10, 10);  // 15:40
  CHECK(stamp_of(Every::hour, now) == "2026-11-22T15");
  CHECK(period_end(Every::hour, now) == utc(2026, 11, 22, 10, 30));
  CHECK(is_over(Every::hour, now, utc(2026, 11, 22, 10, 30)));
}

TEST_CASE("days of 23 and of 25 hours end at midnight") {
  const Zone zone(kBerlin);
  CHECK(period_end(Every::day, utc(2026, 3, 28, 23)) == utc(2026, 3, 29, 22));
  CHECK(period_end(Every::day, utc(2026, 10, 24, 22)) == utc(2026, 10, 25, 23));
}

TEST_CASE("the hour that is there twice is one file and the one that is not there is none") {
  const Zone zone(kBerlin);
  const std::time_t first = utc(2026, 10, 25, 0, 30);  // 02:30 in summer
  const std::time_t again = utc(2026, 10, 25, 1, 30);  // 02:30 in winter
  CHECK(stamp_of(Every::hour, first) == stamp_of(Every::hour, again));
  CHECK_FALSE(is_over(Every::hour, first, again));
  CHECK(is_over(Every::hour, first, utc(2026, 10, 25, 2)));
  const std::time_t before = utc(2026, 3, 29, 0, 30);  // 01:30, and 03:00 follows
  CHECK(period_end(Every::hour, before) == utc(2026, 3, 29, 1));
  CHECK(stamp_of(Every::hour, utc(2026, 3, 29, 1)) == "2026-03-29T03");
}

TEST_CASE("a day without a midnight begins all the same") {
  const Zone zone(kNoMidnight);
  const std::time_t began = utc(2026, 4, 23, 12);
  std::time_t now = began;
  int asked = 0;
  for (; !is_over(Every::day, began, now) && asked < 10; ++asked) now = period_end(Every::day, now);
  CHECK(asked < 3);
  CHECK(stamp_of(Every::day, now) == "2026-04-24");
  CHECK(now == utc(2026, 4, 23, 22));
}

TEST_CASE("a clock that is set back") {
  const Zone zone("UTC0");
  const std::time_t midnight = utc(2026, 11, 23);
  CHECK_FALSE(is_over(Every::day, midnight + 5, midnight - 5));  // a step of ntp
  CHECK(is_over(Every::day, utc(2031, 1, 1), midnight));         // it was wrong for long
  CHECK_FALSE(is_over(Every::hour, midnight + 5, midnight - 5));
  CHECK_FALSE(is_over(Every::size, utc(2020, 1, 1), midnight));
  CHECK_FALSE(is_over(Every::never, utc(2020, 1, 1), midnight));
}

TEST_CASE("keep is the number of old ones and the oldest go") {
  LogRules rules{.every = Every::day, .keep = 2, .max_total = 0};
  const auto logs = all({"shop.log.2026-11-22.gz", "shop.log.2026-11-20.gz", "shop.log.2026-11-23",
                         "shop.log.2026-11-21.1.gz", "shop.log.2026-11-21.gz"});
  CHECK(too_many(logs, rules) ==
        Names{"shop.log.2026-11-20.gz", "shop.log.2026-11-21.gz", "shop.log.2026-11-21.1.gz"});
  rules.keep = 5;
  CHECK(too_many(logs, rules).empty());
  rules.keep = 0;
  CHECK(too_many(logs, rules).size() == 5);
}

TEST_CASE("the total is bounded with room for the log and for one that is compressed") {
  LogRules rules{.every = Every::day, .keep = 100, .max_total = 8000};
  CHECK(most_in_one(rules) == 1000);
  const auto logs =
      all({"shop.log.2026-11-20", "shop.log.2026-11-21", "shop.log.2026-11-22"}, 2000);
  CHECK(too_many(logs, rules) == Names{"shop.log.2026-11-20"});  // 5000 may stay
  rules = {.every = Every::size, .size = 100, .keep = 100, .max_total = 8000};
  CHECK(most_in_one(rules) == 100);
  CHECK(too_many(logs, rules).empty());
  rules = {.every = Every::size, .size = 5000, .keep = 100, .max_total = 8000};
  CHECK(most_in_one(rules) == 1000);
  rules.max_total = 0;
  CHECK(most_in_one(rules) == 5000);
  rules.every = Every::day;
  CHECK(most_in_one(rules) == 0);
  CHECK(too_many(logs, rules).empty());
}

}  // namespace clusterd::agent
