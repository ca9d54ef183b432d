#pragma once

#include "master/os/unix_listener.h"

namespace clusterd::os {

struct ControlSocketSpec {
  std::string path;
  mode_t mode = 0600;
  std::optional<gid_t> group{};  ///< whose members may connect as well
};

/// Opens the Unix socket on which a master takes verbs, in a folder that nobody else can write to.
/// It has its mode from birth. Missing folders are made, for us alone (0700) or, if there is a
/// group, so that its members can pass; one that is there stays as it is.
[[nodiscard]] Result<UnixListener> open_control_socket(const ControlSocketSpec& spec);

}  // namespace clusterd::os
