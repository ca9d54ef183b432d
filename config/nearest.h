#pragma once

#include <span>
#include <string_view>

namespace clusterd::config {

/// The one of `known` that `word` is most likely a slip of the keys for, or an empty view if none
/// is close. A letter too many, too few, or wrong, and two neighbours swapped, are one slip each;
/// upper and lower case are the same. Of two equally close the first wins.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       std::span<const std::string_view> known);

}  // namespace clusterd::config
