#include "config/quantity.h"

#include <charconv>
#include <cstdio>
#include <limits>
#include <span>
#include <utility>

namespace clusterd::config {
namespace {

using std::chrono::milliseconds;
using Unit = std::pair<std::string_view, std::uint64_t>;

constexpr std::uint64_t in_ms(milliseconds unit) {
  return static_cast<std::uint64_t>(unit.count());
}

constexpr Unit kTimes[] = {{"ms", 1},
                           {"s", in_ms(std::chrono::seconds(1))},
                           {"m", in_ms(std::chrono::minutes(1))},
                           {"h", in_ms(std::chrono::hours(1))},
                           {"d", in_ms(std::chrono::days(1))}};

constexpr Unit kSizes[] = {{"", 1},
                           {"KiB", std::uint64_t{1} << 10U},
                           {"MiB", std::uint64_t{1} << 20U},
                           {"GiB", std::uint64_t{1} << 30U},
                           {"TiB", std::uint64_t{1} << 40U}};

constexpr std::uint64_t kTooMuch = std::numeric_limits<std::uint64_t>::max();

/// A number and one of `units`, as so many of the smallest; kTooMuch if that is more than `most`.
/// `fits` says whether the letters after the number name a unit.
std::optional<std::uint64_t> parse(std::string_view text, std::span<const Unit> units,
                                   std::uint64_t most,
                                   bool (*fits)(std::string_view word, std::string_view unit)) {
  std::uint64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, count);
  if (status == std::errc::invalid_argument) return std::nullopt;
  for (const auto& [name, size] : units) {
    if (!fits({stop, end}, name)) continue;
    if (status == std::errc::result_out_of_range || count > most / size) return kTooMuch;
    return count * size;
  }
  return std::nullopt;
}

std::string text_of(std::uint64_t count, std::span<const Unit> units) {
  const Unit* largest = &units.front();
  for (const Unit& unit : units) {
    if (count != 0 && count % unit.second == 0) largest = &unit;
  }
  return std::to_string(count / largest->second).append(largest->first);
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration::zero();
  const auto is_same = [](std::string_view word, std::string_view unit) { return word == unit; };
  const auto ms = parse(text, kTimes, in_ms(kLongest), is_same);
  if (!ms) return std::nullopt;
  return *ms == kTooMuch ? Duration::max() : milliseconds(static_cast<std::int64_t>(*ms));
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  return parse(text, kSizes, kMostBytes, [](std::string_view word, std::string_view unit) {
    return word == unit || (!word.empty() && word == unit.substr(0, 1));
  });
}

std::string duration_text(Duration duration) {
  const auto ms = std::chrono::duration_cast<milliseconds>(duration);
  return ms == milliseconds::zero() ? "0s" : text_of(in_ms(ms), kTimes);
}

std::string bytes_text(std::uint64_t bytes) { return text_of(bytes, kSizes); }

std::string octal_text(unsigned mode) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%04o", mode);
  return digits;
}

}  // namespace clusterd::config
