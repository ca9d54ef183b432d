#pragma once

#include "config/command_line.h"

namespace clusterd::ctl {

/// clusterd init: writes an app.conf to start from, but never over a file. Gives the exit code.
int run_init(const config::InitCommand& command);

}  // namespace clusterd::ctl
