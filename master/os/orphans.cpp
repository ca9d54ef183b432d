#include "master/os/orphans.h"

#include <sys/wait.h>

namespace clusterd::os {

bool reap_orphans(std::size_t most, const std::function<bool(pid_t)>& is_ours) {
  for (std::size_t count = 0; count < most; ++count) {
    siginfo_t info{};
    // Only a look. Nobody else reaps, so that who was seen is still there for the second call.
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) return true;
    if (is_ours(info.si_pid)) return false;
    ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);
  }
  return false;
}

}  // namespace clusterd::os
