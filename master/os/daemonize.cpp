#include "master/os/daemonize.h"

#include "master/os/pidfd.h"
#include "master/os/self.h"

#include <climits>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <initializer_list>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::os {
namespace {

constexpr std::size_t kMostWords = 4096;  // of one read
constexpr int kNobodyReadsMs = 1000;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return errno_error("make a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// Of those above stderr.
void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  auto from = static_cast<unsigned>(STDERR_FILENO + 1);
  for (const int fd : kept) {
    const auto next = static_cast<unsigned>(fd);
    if (next > from) ::syscall(SYS_close_range, from, next - 1, 0U);
    from = next + 1;
  }
  ::syscall(SYS_close_range, from, ~0U, 0U);
}

/// What the daemon keeps of its starter: the way to tell it, and `kept`.
Result<UniqueFd> leave_starter(Pipe words, Pipe pids, std::vector<int> kept) {
  if (::chdir("/") < 0) return errno_error("change directory to /");
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return errno_error("open /dev/null");
  // Lower numbers are what /dev/null is put in the place of.
  const int to_starter = ::fcntl(words.write.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (to_starter < 0) return errno_error("copy a pipe");
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (null != fd && ::dup2(null, fd) < 0) return errno_error("open /dev/null");
  }
  for (UniqueFd* closed : {&words.read, &words.write, &pids.read, &pids.write}) {
    static_cast<void>(closed->release());  // by the next line, unless it is the one that is kept
  }
  kept.push_back(to_starter);
  close_all_but(std::move(kept));
  ::fcntl(to_starter, F_SETFL, O_NONBLOCK);
  return UniqueFd(to_starter);
}

}  // namespace

Result<Daemonized> daemonize(const std::vector<int>& kept) {
  // Whoever waits for the end of the daemon has to be its parent: that are we as soon as the
  // process between us has ended.
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) return errno_error("become a subreaper");
  auto words = make_pipe();
  auto pids = make_pipe();
  if (!words) return words.error();
  if (!pids) return pids.error();
  const pid_t between = ::fork();
  if (between < 0) return errno_error("fork");
  if (between == 0) {
    ::setsid();
    const pid_t daemon = ::fork();
    if (daemon != 0) {
      ::_exit(::write(pids->write.get(), &daemon, sizeof daemon) == sizeof daemon ? 0 : 1);
    }
    auto to_starter = leave_starter(std::move(*words), std::move(*pids), kept);
    if (!to_starter) return to_starter.error();
    return Daemonized{std::nullopt, std::move(*to_starter)};
  }
  words->write.reset();
  pids->write.reset();
  Daemon made;
  ssize_t got = 0;
  while ((got = ::read(pids->read.get(), &made.pid_, sizeof made.pid_)) < 0 && errno == EINTR) {
  }
  siginfo_t ignored{};
  while (::waitid(P_PID, static_cast<id_t>(between), &ignored, WEXITED) < 0 && errno == EINTR) {
  }
  if (got != sizeof made.pid_ || made.pid_ <= 0) return make_error("fork a daemon");
  made.pidfd_.reset(::pidfd_open(made.pid_, 0));
  made.words_ = std::move(words->read);
  const sigset_t held = held_signals();
  made.signals_.reset(::signalfd(-1, &held, SFD_CLOEXEC));
  if (!made.pidfd_ || !made.signals_) return errno_error("watch the daemon");
  return Daemonized{std::move(made), UniqueFd()};
}

Daemon::Heard Daemon::listen() {
  for (;;) {
    std::array<pollfd, 3> all{{{words_.get(), POLLIN, 0},  // -1: left out
                               {pidfd_.get(), POLLIN, 0},
                               {signals_.get(), POLLIN, 0}}};
    if (::poll(all.data(), all.size(), -1) < 0) continue;
    if (all[2].revents != 0) {
      signalfd_siginfo info{};
      if (::read(signals_.get(), &info, sizeof info) != sizeof info) continue;
      Heard heard;
      heard.signal = static_cast<int>(info.ssi_signo);
      return heard;
    }
    // Its last words are in the pipe before it ends.
    if (all[0].revents != 0) {
      Heard heard = read_words();
      if (heard.ready || !heard.words.empty()) return heard;
    } else if (all[1].revents != 0) {
      Heard heard;
      heard.code = reap();
      return heard;
    }
  }
}

Daemon::Heard Daemon::read_words() {
  std::array<char, kMostWords> buffer{};
  const ssize_t n = ::read(words_.get(), buffer.data(), buffer.size());
  Heard heard;
  if (n > 0) heard.words.assign(buffer.data(), static_cast<std::size_t>(n));
  if (n == 0) words_.reset();
  if (const std::size_t end = heard.words.find('\0'); end != std::string::npos) {
    heard.words.resize(end);
    heard.ready = true;
  }
  return heard;
}

int Daemon::reap() const {
  siginfo_t info{};
  const auto id = static_cast<id_t>(pidfd_.get());
  while (::waitid(kPidFd, id, &info, WEXITED) < 0 && errno == EINTR) {
  }
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

void Daemon::signal(int number) const { ::pidfd_send_signal(pidfd_.get(), number, nullptr, 0); }

void say_ready(UniqueFd to_starter) {
  const char up = '\0';
  // Who has gone away does not want to know.
  [[maybe_unused]] const ssize_t written = ::write(to_starter.get(), &up, 1);
}

void say_failure(UniqueFd to, const std::string& words) {
  std::size_t done = 0;
  while (done < words.size()) {
    pollfd reader{to.get(), POLLOUT, 0};
    if (::poll(&reader, 1, kNobodyReadsMs) <= 0) return;
    // So much goes into a pipe that is ready without blocking.
    const std::size_t most = std::min<std::size_t>(words.size() - done, PIPE_BUF);
    const ssize_t n = ::write(to.get(), words.data() + done, most);
    if (n < 0) return;
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace clusterd::os
