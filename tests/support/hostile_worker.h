#pragma once

#include <string>

namespace clusterd::test {

/// Modes of the fixture worker that break the rules. Slot 0 does; the other slots serve decently,
/// so that a test sees whether they are hurt.
[[nodiscard]] bool is_hostile(const std::string& mode);
int run_hostile(const std::string& mode);

}  // namespace clusterd::test
