#pragma once

#include "config/mistake.h"
#include "config/settings.h"
#include "config/toml_reader.h"

namespace clusterd::config {

/// [messages]
[[nodiscard]] Messages read_messages(TomlReader& top, Mistakes& mistakes);

}  // namespace clusterd::config
