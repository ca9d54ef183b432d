#pragma once

#include <cstddef>
#include <sys/resource.h>

namespace clusterd::os {

/// What the master does to its own process once, at start.

/// Raises the soft limit of open files to the hard one; gives the limit as it was, for children.
[[nodiscard]] rlimit raise_open_files();

/// SCHED_BATCH for this process alone (spawn() gives children the default policy): a master that is
/// woken then no longer pushes aside the process that woke it, so that connections come to it in
/// batches. False if it was refused, which costs speed and nothing else.
[[nodiscard]] bool schedule_as_batch();

/// Opens /dev/null where stdin, stdout or stderr is closed. Otherwise the next socket would get
/// that number, and be printed into. False if that is not possible.
[[nodiscard]] bool open_standard_descriptors();

/// A peer that is gone must be an error of the write, not the end of the master.
void ignore_sigpipe();

/// User and system time that this process has used.
[[nodiscard]] double own_cpu_seconds();

}  // namespace clusterd::os
