#pragma once

#include "config/command_line.h"

#include <cstdint>
#include <string>

/// What is wrong with the arguments of a command, in words; empty if nothing is.
namespace clusterd::config {

/// What a number on the command line is.
enum class NumberOf : std::uint8_t { workers, slot };

[[nodiscard]] std::string mistake_in_number(const std::string& word, NumberOf what);

[[nodiscard]] std::string mistake_in(const LogsCommand& logs);

}  // namespace clusterd::config
