#pragma once

#include "common/clock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>

namespace clusterd::os {

/// What the kernel tells about a process of ours, its main thread where it is about one: evidence
/// of what it does that it does not answer. What cannot be read is empty: the process may have
/// ended, and some of it only root may see.
///
/// None of the files that this reads makes the kernel wait for the process: those that need its
/// memory map (cmdline, environ, maps) are not among them, since that may be locked for as long as
/// the process hangs.
struct ProcessLook {
  char state = 0;               ///< R, S, D, T, t, Z, ...; 0 = not known
  std::string wait_channel;     ///< the kernel function that it sleeps in
  std::string system_call;      ///< its number, as the kernel writes it, or "running"
  std::string kernel_stack;     ///< functions, innermost first; root only
  bool hidden = false;          ///< it is another user's, and so the three before are empty
  std::optional<pid_t> tracer;  ///< 0 = none
  std::optional<int> threads;
  std::optional<Duration> cpu_time;  ///< of all its threads, since it started
  std::optional<std::uint64_t> resident_bytes;
  std::optional<std::uint32_t> open_files;

  [[nodiscard]] bool traced() const { return tracer.value_or(0) != 0; }
  /// By a signal: SIGSTOP, or from a terminal.
  [[nodiscard]] bool stopped() const { return state == 'T'; }
};

/// `pid` is a child that is not reaped, so the number is its own.
[[nodiscard]] ProcessLook look_at(pid_t pid);

/// For people, in one line, and a second with the kernel stack if there is one.
[[nodiscard]] std::string describe(const ProcessLook& look);

/// "running", "stopped by a signal", ...
[[nodiscard]] std::string state_in_words(char state);

/// The memory that a child has resident.
[[nodiscard]] std::optional<std::uint64_t> resident_bytes(pid_t pid);

}  // namespace clusterd::os
