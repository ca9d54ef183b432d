#pragma once

#include "config/parse.h"
#include "config/toml_reader.h"

#include <vector>

namespace clusterd::config {

/// The [[schedule]] tables, once the workers' protocol is known.
[[nodiscard]] std::vector<Schedule> read_schedules(TomlReader& top, const Settings& settings,
                                                   const Surroundings& surroundings,
                                                   Mistakes& mistakes);

}  // namespace clusterd::config
