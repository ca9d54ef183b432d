#pragma once

#include "common/escaped.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace clusterd::config {

using clusterd::escaped;

/// `text` in quotes, and cut between two characters if it is longer than `limit` bytes.
[[nodiscard]] inline std::string in_quotes(std::string_view text, std::size_t limit = 60) {
  const bool cut = text.size() > limit;
  if (cut) {
    // 10xxxxxx goes on with the character before it.
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0U) == 0x80U) --limit;
    text = text.substr(0, limit);
  }
  return '"' + escaped(text) + (cut ? "...\"" : "\"");
}

/// "a", "b" or "c"
[[nodiscard]] inline std::string listed(std::span<const std::string_view> words) {
  std::string result;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) result += i + 1 == words.size() ? " or " : ", ";
    result += in_quotes(words[i]);
  }
  return result;
}

[[nodiscard]] inline bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
[[nodiscard]] inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// 1 to 64 letters, digits and `marks`.
[[nodiscard]] inline bool is_name(std::string_view text, std::string_view marks) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter(c) || is_digit(c) || marks.find(c) != std::string_view::npos;
  });
}

/// A cluster's name is also the name of a folder.
[[nodiscard]] inline bool is_cluster_name(std::string_view text) {
  return is_name(text, "._-") && text[0] != '.';
}

[[nodiscard]] inline bool is_variable_name(std::string_view text) {
  return !text.empty() && !is_digit(text[0]) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '_';
  });
}

/// Why `name` cannot be that of a variable for workers, or an empty string.
[[nodiscard]] inline std::string why_not_variable(std::string_view name) {
  if (!is_variable_name(name)) {
    return in_quotes(name) + " cannot name a variable (letters, digits and _, no digit first)";
  }
  // A second one would be found instead of ours.
  for (const std::string_view ours : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET",
                                      "NODE_CHANNEL_FD", "NODE_UNIQUE_ID"}) {
    if (name == ours) return in_quotes(name) + " is for clusterd to set";
  }
  if (!name.starts_with("CLUSTERD_")) return "";
  return in_quotes(name) + ": CLUSTERD_ names are for clusterd";
}

/// `text` as a string of TOML. What is not UTF-8 stays so, and no parser takes it.
[[nodiscard]] inline std::string as_toml(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const std::string code = escaped({&c, 1});
    if (code.size() > 1) {
      result += "\\u00" + code.substr(2);
    } else {
      if (c == '"' || c == '\\') result += '\\';
      result += c;
    }
  }
  return result + '"';
}

/// Permissions: one to four octal digits, no more than 0777.
[[nodiscard]] inline std::optional<unsigned> parse_octal(std::string_view text) {
  unsigned mode = 0;
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, mode, 8);
  if (text.size() > 4 || status != std::errc() || stop != end || mode > 0777) return std::nullopt;
  return mode;
}

}  // namespace clusterd::config
