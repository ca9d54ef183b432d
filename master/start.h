#pragma once

#include "config/command_line.h"

namespace clusterd {

/// clusterd start: checks app.conf, opens the listeners and the control socket, and is the master
/// until it is stopped. Gives the exit code.
int run_start(const config::StartCommand& command);

/// clusterd check: says what is wrong with app.conf, or that nothing is.
int run_check(const config::CheckCommand& command);

}  // namespace clusterd
