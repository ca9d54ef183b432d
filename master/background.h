#pragma once

#include "master/os/daemonize.h"

#include <string>

namespace clusterd {

/// `clusterd start --daemon`, as the one that was called: waits until the daemon is up, or has
/// ended and said why. Who is interrupted ends what it has begun. Gives the exit code, which is the
/// one that a start in the foreground would have had.
int wait_until_up(os::Daemon daemon, const std::string& name);

}  // namespace clusterd
