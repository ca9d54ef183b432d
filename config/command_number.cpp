#include "config/command_number.h"

#include <charconv>

namespace clusterd::config {

std::optional<Number> parse_number(std::string_view word) {
  const bool plus = word.starts_with('+');
  if (plus) word.remove_prefix(1);
  Number number;
  number.has_sign = plus || word.starts_with('-');
  const char* end = word.data() + word.size();
  const auto [stop, status] = std::from_chars(word.data(), end, number.value);
  if (status != std::errc() || stop != end || (plus && word.starts_with('-'))) return std::nullopt;
  return number;
}

}  // namespace clusterd::config
