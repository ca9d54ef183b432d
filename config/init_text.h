#pragma once

#include "common/error.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace clusterd::config {

/// The words of a command, as a shell splits them, but nothing is expanded: blanks part them,
/// '...' is taken as it is, in "..." a backslash stands before " and \, and anywhere else it takes
/// the next character as it is. No word is empty. The error says why there are none.
[[nodiscard]] Result<std::vector<std::string>> split_words(std::string_view command);

/// A whole app.conf for the file of this name, with comments and every key. Without a command the
/// worker is an example.
[[nodiscard]] std::string init_text(const std::string& file, std::span<const std::string> command);

}  // namespace clusterd::config
