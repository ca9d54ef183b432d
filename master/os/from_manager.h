#pragma once

#include "common/clock.h"
#include "master/os/passed_sockets.h"
#include "master/os/sd_notify.h"

#include <vector>

namespace clusterd::os {

/// What a service manager (systemd) has left for this process in its environment.
struct FromManager {
  SdNotify notify{};        ///< NOTIFY_SOCKET
  Duration watchdog{};      ///< WATCHDOG_USEC: it wants WATCHDOG=1 so often; 0: it does not
  PassedSockets sockets{};  ///< LISTEN_FDS

  /// All that are open for it.
  [[nodiscard]] std::vector<int> descriptors() const;
};

/// Once, before anything is opened. What is meant for another process (WATCHDOG_PID, LISTEN_PID) is
/// left out. Takes all of it out of the environment: it is nobody else's, children of ours
/// included. The sockets are closed at exec.
[[nodiscard]] FromManager take_from_manager();

}  // namespace clusterd::os
