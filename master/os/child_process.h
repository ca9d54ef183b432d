#pragma once

#include "master/os/spawn.h"

#include <optional>

namespace clusterd::os {

/// How a process ended, as the kernel says it.
struct ProcessEnd {
  bool by_signal = false;
  int value = 0;  ///< the exit code or the signal
  bool dumped_core = false;
  std::optional<ExecFailure> exec_failure;
};

/// One child from fork to reaped, always addressed by pidfd, so that a reused process number can
/// never be hit. Destroying one that was not reaped kills and reaps it.
class ChildProcess {
 public:
  explicit ChildProcess(Spawned spawned) : spawned_(std::move(spawned)) {}
  ChildProcess(ChildProcess&&) = default;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  [[nodiscard]] pid_t pid() const { return spawned_.pid; }
  /// Readable when the process has ended.
  [[nodiscard]] int pidfd() const { return spawned_.pidfd.get(); }

  /// One signal to the process alone.
  void signal(int number) const;
  /// KILL to the process and whatever it left in its process group.
  void kill() const;

  /// The child has spoken, so exec succeeded: its failure need not be listened for any more.
  void has_started() { spawned_.failure.reset(); }

  /// Readable when exec has succeeded or failed.
  [[nodiscard]] int exec_fd() const { return spawned_.failure.get(); }
  /// Exec has succeeded; what failed is told by reap().
  [[nodiscard]] bool has_execed() const;

  /// The end of the process if it has ended, which is then reaped; the only wait in the master.
  [[nodiscard]] std::optional<ProcessEnd> reap();

 private:
  Spawned spawned_;
};

}  // namespace clusterd::os
