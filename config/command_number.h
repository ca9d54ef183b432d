#pragma once

#include <optional>
#include <string_view>

namespace clusterd::config {

/// A word of the command line that is a number: "6", "+1", "-1".
struct Number {
  int value = 0;
  bool has_sign = false;
};

/// Decimal, with at most one sign and nothing else.
[[nodiscard]] std::optional<Number> parse_number(std::string_view word);

}  // namespace clusterd::config
