// Any text as a line of cron: a mistake lies in the text, and of what is understood the next times
// come one after the other, at moments that it means, over the changes of summer time too.
#include "config/cron.h"
#include "master/core/cron_next.h"
#include "tests/fuzz/fuzz.h"

#include <chrono>
#include <string>

namespace clusterd::fuzz {
namespace {

using core::WallSeconds;

constexpr WallSeconds kSpring = 1'774'746'000;  // 2026-03-29 01:00 UTC
constexpr WallSeconds kAutumn = 1'792'890'000;  // 2026-10-25 01:00 UTC

std::int64_t berlin(WallSeconds time) { return time >= kSpring && time < kAutumn ? 7200 : 3600; }

bool has(std::uint64_t set, std::int64_t number) { return (set >> number & 1U) != 0; }

bool means(const config::Cron& cron, std::int64_t local) {
  const std::chrono::sys_seconds time{std::chrono::seconds(local)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const bool by_day = has(cron.days, static_cast<unsigned>(date.day()));
  const bool by_weekday = has(cron.weekdays, std::chrono::weekday(day).c_encoding());
  const bool either = !cron.any_day && !cron.any_weekday;
  const std::int64_t of_day = (time - day).count();
  return has(cron.seconds, of_day % 60) && has(cron.minutes, of_day / 60 % 60) &&
         has(cron.hours, of_day / 3600) && has(cron.months, static_cast<unsigned>(date.month())) &&
         (either ? by_day || by_weekday : by_day && by_weekday);
}

void look(const config::Cron& cron, WallSeconds after) {
  for (int times = 0; times < 8; ++times) {
    const auto next = core::next_time(cron, after, &berlin);
    if (!next) return;
    must(*next > after, "the next time is later");
    must(means(cron, *next + berlin(*next)) || *next == kSpring, "the next time is meant");
    const auto between = core::next_time(cron, after + (*next - 1 - after) / 2, &berlin);
    must(between == next, "there is none before it");
    after = *next;
  }
}

}  // namespace

void try_input(std::string_view input) {
  const auto parsed = config::parse_cron(input);
  if (const auto* mistake = std::get_if<config::CronMistake>(&parsed)) {
    must(mistake->column >= 1 && mistake->column <= input.size() + 1, "a mistake is in the text");
    must(!mistake->what.empty(), "a mistake says what is wrong");
    return;
  }
  const auto& cron = std::get<config::Cron>(parsed);
  must(cron.seconds != 0 && cron.minutes != 0 && cron.hours != 0, "no field is empty");
  must(core::next_time(cron, kSpring, &berlin).has_value(), "there is a next time");
  for (const WallSeconds around : {kSpring, kAutumn}) {
    look(cron, around - 4 * 3600);
    look(cron, around - 1);
    look(cron, around);
  }
}

}  // namespace clusterd::fuzz
