#pragma once

#include "master/os/unix_listener.h"

namespace clusterd::os {

/// Opens the Unix socket on which a master takes verbs: mode 0600, in a folder that nobody else can
/// write to. Missing folders are made, for us alone (0700).
[[nodiscard]] Result<UnixListener> open_control_socket(const std::string& path);

}  // namespace clusterd::os
