#pragma once

#include "config/mistake.h"
#include "config/settings.h"
#include "config/toml_reader.h"

#include <string>
#include <vector>

namespace clusterd::config {

/// The [[listen]] tables; `directory` is app.conf's.
[[nodiscard]] std::vector<Listen> read_listeners(TomlReader& top, const std::string& directory,
                                                 Mistakes& mistakes);

}  // namespace clusterd::config
