#pragma once

#include "config/mistake.h"
#include "config/settings.h"
#include "config/toml_reader.h"

namespace clusterd::config {

/// The tables [restart] and [reload]: how workers follow one another.
[[nodiscard]] Restart read_restart(TomlReader& top, Mistakes& mistakes);
[[nodiscard]] Reload read_reload(TomlReader& top, Mistakes& mistakes);

}  // namespace clusterd::config
