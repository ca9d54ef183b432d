#pragma once

#include <cstddef>
#include <functional>
#include <sys/types.h>

namespace clusterd::os {

/// Reaps processes that have ended and that were left to us, at most `most`: as PID 1 of a
/// container we are the parent of whoever has lost his own. Never one that `is_ours` knows: whose
/// end is awaited by pidfd must be found there. False if there may be more: `most` have been, or
/// one of ours stands before them, which the kernel shows first until it is reaped.
[[nodiscard]] bool reap_orphans(std::size_t most, const std::function<bool(pid_t)>& is_ours);

}  // namespace clusterd::os
