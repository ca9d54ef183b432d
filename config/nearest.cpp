#include "config/nearest.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace clusterd::config {
namespace {

constexpr std::size_t kMostSlips = 3;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(char a, char b) { return lower(a) == lower(b); }

/// The Damerau-Levenshtein distance in which no stretch is edited twice.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;

  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = above[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, changed});
      const bool swapped = i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  std::string_view best;
  std::size_t least = kMostSlips + 1;
  for (const std::string_view candidate : known) {
    const auto [shorter, longer] = std::minmax({word.size(), candidate.size()});
    // A third of the letters wrong is another word. The lengths alone settle it for a huge one.
    const std::size_t limit = std::min(kMostSlips, longer / 3);
    if (longer - shorter > limit) continue;
    const std::size_t slips = distance(word, candidate);
    if (slips <= limit && slips < least) {
      best = candidate;
      least = slips;
    }
  }
  return best;
}

}  // namespace clusterd::config
