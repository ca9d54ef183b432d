#pragma once

#include "common/clock.h"
#include "config/settings.h"
#include "master/core/cluster.h"
#include "master/os/child_process.h"

#include <string>

namespace clusterd::runtime {

/// What the core knows of an end.
[[nodiscard]] core::ExitStatus to_status(const os::ProcessEnd& end);

/// "exited with code 1", "killed by signal 9 (KILL), core dumped", "not started: exec: No such..."
[[nodiscard]] std::string describe(const core::ExitStatus& status);

/// The same and, if there is one, the reason: "..., since it did not leave within drain_timeout".
[[nodiscard]] std::string describe(const core::ExitStatus& status, const std::string& why);

/// What an operator is told: `running` below full strength is degraded.
[[nodiscard]] const char* state_name(const core::Cluster& cluster);

/// As app.conf has it: "round-robin".
[[nodiscard]] const char* policy_name(config::Policy policy);

/// "stopped", "gave up: ...", with what its last worker died of.
[[nodiscard]] std::string describe(const core::Outcome& outcome);

/// "KILL" for 9; the number for one without a name.
[[nodiscard]] std::string signal_name(int signal);

/// "3.2 ms", "1.5 s", "2 h": two digits that matter.
[[nodiscard]] std::string describe(Duration duration);

/// In seconds, to the millisecond.
[[nodiscard]] double seconds(Duration duration);

}  // namespace clusterd::runtime
