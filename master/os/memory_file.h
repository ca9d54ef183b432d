#pragma once

#include "common/error.h"
#include "common/unique_fd.h"

#include <string>
#include <string_view>

namespace clusterd::os {

/// A file in memory with this text, at its beginning, which nobody can change any more. Unlike a
/// pipe it holds any text whole, however little the kernel grants to a pipe of this user.
[[nodiscard]] Result<UniqueFd> memory_file(const std::string& name, std::string_view text);

}  // namespace clusterd::os
