#pragma once

#include "common/error.h"

#include <string>
#include <sys/types.h>

namespace clusterd::os {

/// The number of a user or group, given by name or number. Asks the machine's user database, so
/// only at start: it may be slow, and it may block.
[[nodiscard]] Result<uid_t> find_user(const std::string& name);
[[nodiscard]] Result<gid_t> find_group(const std::string& name);

}  // namespace clusterd::os
