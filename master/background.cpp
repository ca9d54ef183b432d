#include "master/background.h"

#include <csignal>
#include <cstdio>
#include <utility>

namespace clusterd {
namespace {

/// The first asks for a stop, the next for one without a drain. That is not long in a start.
void interrupt(const os::Daemon& daemon, int signal, bool again) {
  std::fprintf(stderr, "clusterd: interrupted; %s\n",
               again ? "stopping it now" : "stopping what was started (again: now)");
  daemon.signal(again || signal == SIGQUIT ? SIGQUIT : SIGTERM);
}

bool interrupts(int signal) {
  return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
}

}  // namespace

int wait_until_up(os::Daemon daemon, const std::string& name) {
  int interrupted = 0;
  for (;;) {
    const os::Daemon::Heard heard = daemon.listen();
    std::fputs(heard.words.c_str(), stderr);
    if (interrupts(heard.signal)) {
      interrupt(daemon, heard.signal, std::exchange(interrupted, heard.signal) != 0);
    } else if (heard.ready && interrupted == 0) {
      std::printf("%s runs in the background, pid %ld\n", name.c_str(),
                  static_cast<long>(daemon.pid()));
      return 0;
    } else if (heard.code) {
      if (interrupted != 0) return 128 + interrupted;
      if (*heard.code > 128) {
        std::fprintf(stderr, "clusterd: signal %d has ended it before it was ready\n",
                     *heard.code - 128);
      }
      return *heard.code;
    }
  }
}

}  // namespace clusterd
