#pragma once

#include "common/error.h"
#include "config/settings.h"

#include <string>
#include <sys/resource.h>

namespace clusterd::runtime {

/// Whether this process may run children as `settings` asks; the error says what is missing.
[[nodiscard]] Result<void> may_change_user(const config::Settings& settings);

/// Gives up all capabilities but the four that a master needs for all its life (to bind low ports,
/// to run children as their user, and to signal them), and those that these settings need. Gives
/// what was kept and why, in words; empty if there was nothing to give up.
[[nodiscard]] Result<std::string> give_up_privileges(const config::Settings& settings,
                                                     const rlimit& open_files);

}  // namespace clusterd::runtime
