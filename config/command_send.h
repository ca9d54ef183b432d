#pragma once

#include "common/recipient.h"

#include <cstdint>
#include <optional>
#include <string>

namespace clusterd::config {

/// What the command line says of `clusterd send [--to WHOM] [--wait TIME] ACTION [JSON] FILE`, as
/// it was read: its last word is FILE unless --socket is there.
struct SendWords {
  std::string to = "all";
  std::string wait;  ///< empty: not
  std::string action;
  std::string json;
};

/// "all", "app", "agent", "random", a slot's number, "pid:4711".
[[nodiscard]] std::optional<Recipient> parse_recipient(const std::string& word);

/// Puts the words where they belong. Empty if they are right; else what is wrong.
[[nodiscard]] std::string settle(SendWords& words, const std::string& socket, std::string& file);

// Of words that are right.
[[nodiscard]] Recipient recipient_of(const SendWords& words);
[[nodiscard]] std::optional<std::int64_t> timeout_ms_of(const SendWords& words);

}  // namespace clusterd::config
