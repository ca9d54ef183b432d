#pragma once

#include "config/worker_settings.h"

#include <span>
#include <string>
#include <string_view>

namespace clusterd::config {

/// How the program that is started by this command talks, by the name of its first word; native if
/// it is not one of those that are known.
[[nodiscard]] Protocol protocol_of(std::span<const std::string> command);
/// The same of a script that its first line gives to Node.
[[nodiscard]] bool is_for_node(std::string_view first_line);

/// Why nobody (`who`) that speaks so can be started by this command, and what to do; else empty.
[[nodiscard]] std::string why_not_started(Protocol protocol, std::span<const std::string> command,
                                          std::string_view who = "the worker");

}  // namespace clusterd::config
