#pragma once

#include "config/choices.h"
#include "config/parse_ready.h"
#include "config/quantity.h"
#include "config/words.h"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Values of app.conf as text, for who compares two of them.
namespace clusterd::config::value_text {

/// A value as the operator would write it, without quotes. An empty text is the default, for which
/// the list of keys has words.
inline std::string text(bool value) { return value ? "true" : "false"; }
std::string text(std::integral auto value) { return std::to_string(value); }
inline std::string text(Duration value) { return duration_text(value); }
inline std::string text(const std::string& value) { return escaped(value); }
inline std::string text(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.15g", value);
  return digits;
}
template <typename T>
std::string text(const std::optional<T>& value) {
  return value ? text(*value) : "";
}

template <typename T>
std::string word(T value, std::span<const std::pair<std::string_view, T>> choices) {
  const auto found = std::find_if(choices.begin(), choices.end(),
                                  [&](const auto& choice) { return choice.second == value; });
  return found == choices.end() ? "" : std::string(found->first);
}
inline std::string text(Policy value) { return word<Policy>(value, kPolicies); }
inline std::string text(Protocol value) { return word<Protocol>(value, kProtocols); }
inline std::string text(Sched value) { return word<Sched>(value, kScheds); }
inline std::string text(Schedule::Target value) { return word<Schedule::Target>(value, kTargets); }
inline std::string text(Schedule::Overlap value) {
  return word<Schedule::Overlap>(value, kOverlaps);
}
inline std::string text(OnGiveup value) { return word<OnGiveup>(value, kOnGiveups); }
inline std::string text(Messages::Policy value) {
  return word<Messages::Policy>(value, kMessagePolicies);
}
inline std::string text(LogLevel value) { return word<LogLevel>(value, kLevels); }
inline std::string text(LogFormat value) { return word<LogFormat>(value, kLogFormats); }

inline std::string text(const Ready& ready) { return ready_text(ready); }

/// Of resource limits.
inline std::string limit(const std::optional<std::uint64_t>& value) {
  if (value == kUnlimited) return "unlimited";
  return value ? std::to_string(*value) : "";
}
inline std::string bytes_limit(const std::optional<std::uint64_t>& value) {
  return value && *value != kUnlimited ? bytes_text(*value) : limit(value);
}

inline std::string text(const Affinity& affinity) {
  if (affinity.kind == Affinity::Kind::none) return "none";
  if (affinity.kind == Affinity::Kind::slot) return "slot";
  std::string all;
  for (const unsigned cpu : affinity.cpus) all += (all.empty() ? "" : ", ") + std::to_string(cpu);
  return "[" + all + "]";
}

inline std::string text(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& each : words) all += (all.empty() ? "" : ", ") + as_toml(each);
  return "[" + all + "]";
}

}  // namespace clusterd::config::value_text
