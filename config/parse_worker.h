#pragma once

#include "config/mistake.h"
#include "config/parse.h"
#include "config/settings.h"
#include "config/toml_reader.h"

#include <string>

namespace clusterd::config {

/// The [worker] table; `directory` is app.conf's.
[[nodiscard]] Worker read_worker(TomlReader& top, const std::string& directory,
                                 const Surroundings& surroundings, Mistakes& mistakes);

}  // namespace clusterd::config
