#pragma once

#include <string>

namespace clusterd::agent {

/// Renames a file within its folder, never over another one. False with errno if it cannot.
[[nodiscard]] bool rename_new(int folder, const std::string& from, const std::string& to);

}  // namespace clusterd::agent
