#pragma once

#include "config/command_line.h"

namespace clusterd::ctl {

/// The client verbs. Each talks to a running master, prints, and gives the exit code.
int run_status(const config::StatusCommand& command);
int run_stop(const config::StopCommand& command);

}  // namespace clusterd::ctl
