#pragma once

namespace clusterd::agent {

/// The built-in agent: the one process beside the workers that does what must not be done in the
/// master: it answers HTTP, if [http] says where. It is started first, says that it is ready, and
/// leaves when the master asks it to (the end of its channel, or TERM) or is gone. Gives the exit
/// code.
int run_builtin_agent();

}  // namespace clusterd::agent
