#pragma once

#include <csignal>
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

/// Memory of what was large for a while (the messages that waited for one receiver) goes back to
/// the system at once. As glibc has it, the first such piece that is freed makes it keep all later
/// ones.
void give_memory_back();

/// Opens /dev/null where stdin, stdout or stderr is closed. Otherwise the next socket would get
/// that number, and be printed into. False if that is not possible.
[[nodiscard]] bool open_standard_descriptors();

/// A peer that is gone must be an error of the write, not the end of the master.
void ignore_sigpipe();

/// User and system time that this process has used.
[[nodiscard]] double own_cpu_seconds();
/// PID 1, of a container: whose end is everybody's there.
[[nodiscard]] bool is_first_process();

/// The signals that are orders to the master.
[[nodiscard]] sigset_t held_signals();

/// Keeps these back from now on, so that one which comes before its handler is there waits for
/// that, instead of ending a half-started master (or, where that is PID 1, being lost). Children
/// must be waited for: who started us may have left SIGCHLD ignored.
void hold_signals();
/// Lets those come that were kept back.
void release_signals();

}  // namespace clusterd::os
