#pragma once

#include "master/os/spawn.h"

#include <optional>

namespace clusterd::os {

/// For a child between fork and exec: becomes that user for good, with no capability and no way to
/// get one (PR_SET_NO_NEW_PRIVS), and makes sure of it. Async-signal-safe. Gives the step that
/// failed, with errno.
[[nodiscard]] std::optional<ExecFailure::Stage> become(const Identity& identity);

/// Whether our supplementary groups are those already, so that there is nothing to change: who is
/// no root may be told to be who it is, and may not call setgroups(2). Its own group does not
/// count.
[[nodiscard]] bool has_groups_of(const Identity& identity);

/// For a child that stays who it is: what its master was given as ambient capabilities is not
/// for others.
void drop_ambient_capabilities();

}  // namespace clusterd::os
