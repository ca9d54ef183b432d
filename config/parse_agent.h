#pragma once

#include "config/mistake.h"
#include "config/parse.h"
#include "config/settings.h"
#include "config/toml_reader.h"

namespace clusterd::config {

/// The [agent] table. Where it names no user it is that of `settings`, whose folder counts.
[[nodiscard]] Agent read_agent(TomlReader& top, const Settings& settings,
                               const Surroundings& surroundings, Mistakes& mistakes);

}  // namespace clusterd::config
