#pragma once

#include "config/parse.h"
#include "config/toml_reader.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace clusterd::config {

/// The absolute path of the file that `word`, the first one at `key`, runs; or a mistake, and an
/// empty string. `directory` is app.conf's.
[[nodiscard]] std::string read_program(TomlReader& reader, std::string_view key,
                                       const std::string& word, const std::string& directory,
                                       const Surroundings& surroundings);

/// The [hooks] table; an event whose array is empty has no hook.
[[nodiscard]] std::map<std::string, std::vector<std::string>> read_hooks(
    TomlReader& top, const std::string& directory, const Surroundings& surroundings,
    Mistakes& mistakes);

}  // namespace clusterd::config
