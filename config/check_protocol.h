#pragma once

#include "config/mistake.h"
#include "config/settings.h"

namespace clusterd::config {

class TomlReader;

/// Whether a reload can go from one to the other. Between who inherits listeners and who is handed
/// connections no listener can go on: the first may make it block, and the master must never wait
/// in accept(2).
[[nodiscard]] bool may_follow(Protocol before, Protocol after);

/// What the protocol decides of other keys: fills in defaults that are its own, and blames what
/// does not go together. When all else is read.
void check_protocol(TomlReader& top, Settings& settings, Mistakes& mistakes);

}  // namespace clusterd::config
