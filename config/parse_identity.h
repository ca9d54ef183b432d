#pragma once

#include "config/parse.h"
#include "config/toml_reader.h"

#include <optional>
#include <string_view>

namespace clusterd::config {

/// The keys `user` and `group` of the top level.
[[nodiscard]] std::optional<Identity> read_user(TomlReader& top, const Surroundings& surroundings);

/// The group at `key`.
[[nodiscard]] std::optional<Group> read_group(TomlReader& reader, std::string_view key,
                                              const Surroundings& surroundings);

}  // namespace clusterd::config
