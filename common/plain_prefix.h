#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace clusterd {

/// Stands for itself in a JSON string: ASCII that is no control character, quote or backslash.
[[nodiscard]] inline bool is_plain(char c) {
  // What is beyond ASCII is below 0 as a signed char.
  return static_cast<signed char>(c) >= 0x20 && c != '"' && c != '\\';
}

/// `Count` bytes at once: whether each stands for itself. A loop that always goes to its end, and
/// an arithmetic "or", are what a compiler makes a few vector instructions of.
template <std::size_t Count>
[[nodiscard]] bool are_plain(const char* at) {
  unsigned char others = 0;
  for (std::size_t i = 0; i < Count; ++i) {
    const auto c = static_cast<signed char>(at[i]);
    others |= static_cast<unsigned char>(static_cast<int>(c < 0x20) | static_cast<int>(c == '"') |
                                         static_cast<int>(c == '\\'));
  }
  return others == 0;
}

/// Eight bytes at once. A byte that stands for itself may be called another after one
/// that does not.
[[nodiscard]] inline bool are_8_plain(const char* at) {
  constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101U;
  constexpr std::uint64_t kHigh = 0x80 * kOnes;
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, at, sizeof bytes);
  const auto has_zero = [](std::uint64_t word) { return (word - kOnes) & ~word & kHigh; };
  const std::uint64_t controls = (bytes - 0x20 * kOnes) & ~bytes & kHigh;
  const std::uint64_t marks = has_zero(bytes ^ ('"' * kOnes)) | has_zero(bytes ^ ('\\' * kOnes));
  return ((bytes & kHigh) | controls | marks) == 0;
}

/// The same in large steps, as far as these go. On its own, so that those many strings that are
/// short do not pay for its registers.
[[gnu::noinline]] inline std::size_t plain_blocks(std::string_view text) {
  std::size_t at = 0;
  while (text.size() - at >= 256 && are_plain<256>(text.data() + at)) at += 256;
  while (text.size() - at >= 32 && are_plain<32>(text.data() + at)) at += 32;
  return at;
}

/// How many bytes at the front of `text` stand for themselves in a JSON string.
[[nodiscard]] inline std::size_t plain_prefix(std::string_view text) {
  constexpr std::size_t kShort = 64;
  std::size_t at = 0;
  while (text.size() - at >= 8 && are_8_plain(text.data() + at)) {
    at += 8;
    if (at == kShort) at += plain_blocks(text.substr(at));
  }
  while (at < text.size() && is_plain(text[at])) ++at;
  return at;
}

}  // namespace clusterd
