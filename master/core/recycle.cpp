#include "master/core/recycle.h"

#include <algorithm>

namespace clusterd::core {
namespace {

/// 10312 as "10,312".
std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t left = text.size(); left > 3;) {
    left -= 3;
    text.insert(left, ",");
  }
  return text;
}

/// In the largest unit of which it is at least two.
std::string in_words(Duration time) {
  using std::chrono::duration_cast;
  using std::chrono::seconds;
  const auto all = duration_cast<seconds>(time).count();
  if (all < 120) return std::to_string(all) + " s";
  if (all < 7200) return std::to_string(all / 60) + " min";
  const auto tenths = all / 360;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " h";
}

std::string in_mib(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

RecycleRule::RecycleRule(const RecycleLimits& limits, double share)
    : limits_(limits), factor_(1 + std::max(0.0, limits.jitter) * share) {}

bool RecycleRule::any() const {
  return limits_.requests > 0 || limits_.lifetime > Duration::zero() || limits_.memory > 0;
}

std::optional<std::string> RecycleRule::due(const RecycleSample& sample, Duration age) const {
  if (reached(static_cast<double>(sample.requests), static_cast<double>(limits_.requests))) {
    return "it has answered " + with_commas(sample.requests) + " requests (recycle.requests " +
           std::to_string(limits_.requests) + ")";
  }
  if (reached(static_cast<double>(age.count()), static_cast<double>(limits_.lifetime.count()))) {
    return "it is " + in_words(age) + " old (recycle.lifetime " + in_words(limits_.lifetime) + ")";
  }
  const std::uint64_t memory = sample.memory.value_or(0);
  if (reached(static_cast<double>(memory), static_cast<double>(limits_.memory))) {
    return "it uses " + in_mib(memory) + " (recycle.memory " + in_mib(limits_.memory) + ")";
  }
  return std::nullopt;
}

double share_of(std::uint64_t random) {
  // 53 bits are what a double holds exactly.
  return static_cast<double>(random >> 11) * 0x1.0p-53;
}

}  // namespace clusterd::core
