#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace clusterd {

/// How many bytes at the front of `text` are one control character, which can move the cursor of a
/// terminal, or make it do more than that: 2 of U+0080 to U+009F in UTF-8, 1, or 0 if it is none.
[[nodiscard]] inline std::size_t control_length(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  if (text.empty()) return 0;
  if (byte(0) < 0x20 || byte(0) == 0x7f) return 1;
  return byte(0) == 0xc2 && text.size() > 1 && byte(1) >= 0x80 && byte(1) < 0xa0 ? 2 : 0;
}

/// `text` on one line: control characters are written as "\x1b".
[[nodiscard]] inline std::string escaped(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string result;
  while (!text.empty()) {
    const std::size_t length = control_length(text);
    if (length == 0) {
      result += text.front();
      text.remove_prefix(1);
      continue;
    }
    const auto code = static_cast<unsigned char>(text[length - 1]);
    result += "\\x";
    result += kDigits[code >> 4U];
    result += kDigits[code & 15U];
    text.remove_prefix(length);
  }
  return result;
}

}  // namespace clusterd
