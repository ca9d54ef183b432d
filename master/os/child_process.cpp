#include "master/os/child_process.h"

#include "master/os/pidfd.h"

#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace clusterd::os {
namespace {

std::optional<ExecFailure> read_failure(int pipe) {
  ExecFailure failure;
  if (::read(pipe, &failure, sizeof failure) != sizeof failure) return std::nullopt;
  return failure;
}

}  // namespace

ChildProcess::~ChildProcess() {
  if (!spawned_.pidfd) return;  // reaped, or moved from
  kill();
  siginfo_t info{};
  const auto id = static_cast<id_t>(spawned_.pidfd.get());
  while (::waitid(kPidFd, id, &info, WEXITED) < 0 && (errno == EINTR || errno == EAGAIN)) {
    // An event loop that watched the pidfd made it non-blocking, and waitid(2) heeds that.
    pollfd ended{spawned_.pidfd.get(), POLLIN, 0};
    ::poll(&ended, 1, -1);
  }
}

void ChildProcess::signal(int number) const {
  ::pidfd_send_signal(spawned_.pidfd.get(), number, nullptr, 0);
}

void ChildProcess::kill() const {
  if (!spawned_.pidfd) return;  // reaped: the numbers may be others' by now
  ::pidfd_send_signal(spawned_.pidfd.get(), SIGKILL, nullptr, 0);
  // The leader is not reaped yet, so its number, which is the group's, is still its own.
  ::kill(-spawned_.pid, SIGKILL);
}

bool ChildProcess::has_execed() const {
  pollfd pipe{spawned_.failure.get(), POLLIN, 0};
  // The end of the pipe, which exec has closed, without a word before it.
  return ::poll(&pipe, 1, 0) == 1 && (pipe.revents & (POLLIN | POLLHUP)) == POLLHUP;
}

std::optional<ProcessEnd> ChildProcess::reap() {
  siginfo_t info{};
  const auto id = static_cast<id_t>(spawned_.pidfd.get());
  if (::waitid(kPidFd, id, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) {
    return std::nullopt;
  }
  // What the leader left in its group has nobody to look after it any more. The number is the
  // group's own until the leader is reaped, which is the next call.
  ::kill(-spawned_.pid, SIGKILL);
  if (::waitid(kPidFd, id, &info, WEXITED | WNOHANG) < 0) return std::nullopt;
  ProcessEnd end;
  end.by_signal = info.si_code != CLD_EXITED;
  end.value = info.si_status;
  end.dumped_core = info.si_code == CLD_DUMPED;
  end.exec_failure = read_failure(spawned_.failure.get());
  spawned_.pidfd.reset();
  return end;
}

}  // namespace clusterd::os
