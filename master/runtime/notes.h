#pragma once

#include "master/core/cluster.h"

#include <sys/types.h>

namespace clusterd::runtime {

/// Writes what the core has to tell to the log. `pid` is the child's, or 0 if there is none.
void write_note(const core::Note& note, pid_t pid);

}  // namespace clusterd::runtime
