#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace clusterd::test {

/// A program run to its end.
struct Finished {
  int code = -1;  ///< exit code; 128 + signal if a signal ended it
  std::string out;
  std::string err;
};
[[nodiscard]] Finished run(const std::vector<std::string>& argv);

/// A program that runs until the test ends it. Its output goes to files.
class Program {
 public:
  /// `passed` are sockets that it gets from 3 on, as a service manager passes them.
  Program(const std::vector<std::string>& argv, const std::string& out, const std::string& err,
          const std::vector<int>& passed = {});
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  /// KILL, if it still runs.
  ~Program();

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// Waits for its end; -1 if it does not come in time.
  [[nodiscard]] int wait(std::chrono::milliseconds deadline);
  [[nodiscard]] bool running();

 private:
  pid_t pid_ = -1;
  int code_ = -1;
  bool ended_ = false;
};

/// Numbers in /proc/PID/fd that are sockets, pipes, anything.
[[nodiscard]] std::size_t count_fds(pid_t pid);
[[nodiscard]] bool alive(pid_t pid);
/// Living children of a process.
[[nodiscard]] std::vector<pid_t> children_of(pid_t pid);
/// All processes of a Program's session, itself and zombies included.
[[nodiscard]] std::vector<pid_t> session_of(pid_t pid);
/// What a process holds in memory, in KiB.
[[nodiscard]] std::int64_t resident_kib(pid_t pid);

}  // namespace clusterd::test
