#pragma once

#include "config/mistake.h"
#include "config/settings.h"
#include "config/toml_reader.h"

namespace clusterd::config {

/// [http]; `settings` has the folder, and the listeners, which are no place for it.
[[nodiscard]] Http read_http(TomlReader& top, const Settings& settings, Mistakes& mistakes);

}  // namespace clusterd::config
