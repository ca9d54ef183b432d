#pragma once

#include "config/mistake.h"
#include "config/settings.h"
#include "config/toml_reader.h"

namespace clusterd::config {

/// [log]; `settings` has the folder.
[[nodiscard]] Log read_log(TomlReader& top, const Settings& settings, Mistakes& mistakes);

/// "daily", "hourly", "100MiB"; empty: never.
[[nodiscard]] std::string rotate_text(const LogRules& rules);

}  // namespace clusterd::config
