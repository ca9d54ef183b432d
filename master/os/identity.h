#pragma once

#include "common/error.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace clusterd::os {

/// Whom a child runs as.
struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary ones, in order
};

/// The number of a user or group, given by name or number. Asks the machine's user database, so
/// only at start: it may be slow, and it may block.
[[nodiscard]] Result<uid_t> find_user(const std::string& name);
[[nodiscard]] Result<gid_t> find_group(const std::string& name);

}  // namespace clusterd::os
