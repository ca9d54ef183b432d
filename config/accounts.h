#pragma once

#include "common/error.h"
#include "config/identity.h"

#include <string>
#include <vector>

namespace clusterd::config {

// These ask the machine's user database, which may be slow and may block: only while a file is
// read.

/// The user of this name or number, with the groups that it is in.
[[nodiscard]] Result<Identity> find_user(const std::string& name_or_number);
[[nodiscard]] Result<Group> find_group(const std::string& name_or_number);

/// The names in /etc/passwd and /etc/group, for "did you mean".
[[nodiscard]] std::vector<std::string> user_names();
[[nodiscard]] std::vector<std::string> group_names();

}  // namespace clusterd::config
