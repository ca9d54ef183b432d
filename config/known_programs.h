#pragma once

#include "config/worker_settings.h"

#include <string_view>

namespace clusterd::config {

/// How the program that is started by this word, a name or a path, talks; native if it is not one
/// of those that are known.
[[nodiscard]] Protocol protocol_of(std::string_view program);

}  // namespace clusterd::config
