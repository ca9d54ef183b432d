#include "agent/old_logs.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <tuple>
#include <utility>

namespace clusterd::agent {
namespace {

constexpr std::string_view kGzip = ".gz";
constexpr std::string_view kUnfinished = ".gz.part";
/// The file, one that is compressed, and one that was too large for either.
constexpr std::uint64_t kKeptFree = 3;
constexpr std::uint64_t kPartOfTotal = 8;
constexpr std::time_t kHour = 3600;
constexpr unsigned kLeapSecond = 60;

bool remove_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

unsigned digits(std::string_view text) {
  unsigned number = 0;
  for (const char c : text) number = 10 * number + static_cast<unsigned>(c - '0');
  return number;
}

/// A day that there is, as "2026-11-22", with perhaps an hour, "T23", or a second of it, "T231507".
bool is_stamp(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T000000";
  if (text.size() != 10 && text.size() != 13 && text.size() != kForm.size()) return false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool digit = text[at] >= '0' && text[at] <= '9';
    if (kForm[at] == '0' ? !digit : text[at] != kForm[at]) return false;
  }
  const auto year = std::chrono::year(static_cast<int>(digits(text.substr(0, 4))));
  const auto month = std::chrono::month(digits(text.substr(5, 2)));
  if (!(year / month / std::chrono::day(digits(text.substr(8, 2)))).ok()) return false;
  if (text.size() > 10 && digits(text.substr(11, 2)) > 23) return false;
  if (text.size() <= 13) return true;
  return digits(text.substr(13, 2)) <= 59 && digits(text.substr(15)) <= kLeapSecond;
}

/// The number in ".17"; 0 for nothing; nothing for what is none, or is not written as we do.
std::optional<std::uint32_t> number_in(std::string_view text) {
  if (text.empty()) return 0;
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data() + 1, end, number);
  if (text[0] != '.' || status != std::errc() || stop != end) return std::nullopt;
  if (text.substr(1).starts_with('0')) return std::nullopt;
  return number;
}

std::tm local_tm(std::time_t when) {
  std::tm local{};
  ::localtime_r(&when, &local);
  return local;
}

}  // namespace

std::string OldLog::plain_name() const {
  std::string_view plain = name;
  if (form == Form::gzip) remove_suffix(plain, kGzip);
  if (form == Form::unfinished) remove_suffix(plain, kUnfinished);
  return std::string(plain);
}

std::optional<OldLog> as_old_log(std::string_view log, std::string_view name) {
  if (!name.starts_with(log) || name.substr(log.size(), 1) != ".") return std::nullopt;
  std::string_view rest = name.substr(log.size() + 1);
  OldLog old{.name = std::string(name), .stamp = {}};
  if (remove_suffix(rest, kUnfinished)) {
    old.form = OldLog::Form::unfinished;
  } else if (remove_suffix(rest, kGzip)) {
    old.form = OldLog::Form::gzip;
  }
  const std::string_view stamp = rest.substr(0, rest.find('.'));
  const auto number = number_in(rest.substr(stamp.size()));
  if (!is_stamp(stamp) || !number) return std::nullopt;
  old.stamp = stamp;
  old.number = *number;
  return old;
}

std::string stamp_of(LogRules::Every every, std::time_t when) {
  const std::tm local = local_tm(when);
  const char* form = "%Y-%m-%d";
  if (every == LogRules::Every::hour) form = "%Y-%m-%dT%H";
  if (every == LogRules::Every::size) form = "%Y-%m-%dT%H%M%S";
  char text[64];
  return {text, std::strftime(text, sizeof text, form, &local)};
}

std::time_t period_end(LogRules::Every every, std::time_t now) {
  std::tm local = local_tm(now);
  local.tm_sec = 0;
  local.tm_min = 0;
  if (every == LogRules::Every::hour) {
    ++local.tm_hour;
  } else {
    local.tm_hour = 0;
    ++local.tm_mday;
  }
  local.tm_isdst = -1;
  // Where clocks are set at midnight there may be none, and mktime() gives what is close to it.
  const std::time_t end = ::mktime(&local);
  return end > now ? end : now + kHour;
}

bool is_over(LogRules::Every every, std::time_t began, std::time_t now) {
  if (every != LogRules::Every::day && every != LogRules::Every::hour) return false;
  const std::string then = stamp_of(every, began);
  const std::string today = stamp_of(every, now);
  // The same hour twice has one stamp. Back by much: the clock was wrong before.
  return today > then || (today < then && began - now > 2 * kHour);
}

std::string next_name(std::string_view log, std::string_view stamp,
                      const std::vector<OldLog>& alike) {
  std::string name = std::string(log) + '.' + std::string(stamp);
  std::optional<std::uint32_t> last;
  for (const OldLog& each : alike) {
    if (each.stamp == stamp) last = std::max(last.value_or(0), each.number);
  }
  return last ? name + '.' + std::to_string(*last + 1) : name;
}

std::uint64_t most_in_one(const LogRules& rules) {
  const std::uint64_t part = rules.max_total / kPartOfTotal;
  const std::uint64_t size = rules.every == LogRules::Every::size ? rules.size : 0;
  if (part == 0 || size == 0) return std::max(part, size);
  return std::min(part, size);
}

void sort_by_age(std::vector<OldLog>& old) {
  std::sort(old.begin(), old.end(), [](const OldLog& a, const OldLog& b) {
    return std::tie(a.stamp, a.number, a.form) < std::tie(b.stamp, b.number, b.form);
  });
}

std::vector<std::string> too_many(std::vector<OldLog> old, const LogRules& rules) {
  sort_by_age(old);
  std::uint64_t total = 0;
  for (const OldLog& each : old) total += each.size;
  const std::uint64_t room = rules.max_total - kKeptFree * most_in_one(rules);
  // One that is being made goes with what it is made of.
  std::erase_if(old, [](const OldLog& each) { return each.form == OldLog::Form::unfinished; });
  std::vector<std::string> names;
  for (std::size_t at = 0; at < old.size(); ++at) {
    const bool fits = rules.max_total == 0 || total <= room;
    if (fits && old.size() - at <= rules.keep) break;
    total -= old[at].size;
    names.push_back(old[at].name);
  }
  return names;
}

}  // namespace clusterd::agent
