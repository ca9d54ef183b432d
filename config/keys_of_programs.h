#pragma once

#include "config/keys.h"

#include <span>

namespace clusterd::config {

/// Those of [worker] and its tables, and of [agent]: a part of keys().
[[nodiscard]] std::span<const Key> keys_of_programs();

}  // namespace clusterd::config
