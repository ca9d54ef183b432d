#pragma once

#include "common/error.h"
#include "common/unique_fd.h"

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace clusterd::os {

/// A daemon, as the process sees it that has made it and waits until it is up.
class Daemon {
 public:
  /// One thing that happened.
  struct Heard {
    std::string words{};      ///< the daemon's, to be passed on
    bool ready = false;       ///< it is up
    std::optional<int> code;  ///< it has ended: its exit code, or 128 + the signal's number
    int signal = 0;           ///< we were sent this one
  };

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Waits for the next. Signals are those that hold_signals() keeps back.
  [[nodiscard]] Heard listen();
  void signal(int number) const;

 private:
  friend struct Daemonized;
  friend Result<struct Daemonized> daemonize(const std::vector<int>& kept);

  Heard read_words();
  [[nodiscard]] int reap() const;

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd words_;    ///< from the daemon; a NUL in it says that it is up
  UniqueFd signals_;  ///< a signalfd
};

/// Which of the two we are.
struct Daemonized {
  std::optional<Daemon> made;  ///< we are the one that was called
  UniqueFd to_starter;         ///< we are the daemon
};

/// Makes a daemon of a copy of this process: in a session of its own that it does not lead, so that
/// no terminal can become its own; in /, with /dev/null as stdin, stdout and stderr, and no other
/// descriptor of its starter's than `kept` (above 2). hold_signals() goes before it.
[[nodiscard]] Result<Daemonized> daemonize(const std::vector<int>& kept);

/// What the daemon says when it is up, and nothing follows.
void say_ready(UniqueFd to_starter);
/// What it says before its end, if that comes first; to anybody else as well. Waits for nobody who
/// does not read.
void say_failure(UniqueFd to, const std::string& words);

}  // namespace clusterd::os
