#include "master/os/self.h"

#include <csignal>
#include <fcntl.h>
#include <initializer_list>
#include <malloc.h>
#include <sched.h>
#include <unistd.h>

namespace clusterd::os {

rlimit raise_open_files() {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit raised{before.rlim_max, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &raised);
  return before;
}

bool schedule_as_batch() {
  const sched_param priority{};
  return ::sched_setscheduler(0, SCHED_BATCH, &priority) == 0;
}

void give_memory_back() {
  constexpr int kLarge = 128 * 1024;  // glibc's own first value, which stays if it is set
  ::mallopt(M_MMAP_THRESHOLD, kLarge);
  ::mallopt(M_TRIM_THRESHOLD, kLarge);
}

bool open_standard_descriptors() {
  for (;;) {
    // The lowest free number is given, so this fills the gaps in order.
    const int fd = ::open("/dev/null", O_RDWR);
    if (fd < 0) return false;
    if (fd <= STDERR_FILENO) continue;
    ::close(fd);
    return true;
  }
}

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto in_seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return in_seconds(usage.ru_utime) + in_seconds(usage.ru_stime);
}

void ignore_sigpipe() {
  struct sigaction action{};
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

bool is_first_process() { return ::getpid() == 1; }

sigset_t held_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU}) {
    sigaddset(&set, signal);
  }
  return set;
}

void hold_signals() {
  const sigset_t set = held_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &action, nullptr);
}

void release_signals() {
  const sigset_t set = held_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace clusterd::os
