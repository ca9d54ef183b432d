#pragma once

#include "config/command_line.h"

namespace clusterd::ctl {

/// The client verbs. Each prints, and gives the exit code; all but init talk to a running master.
int run(const config::InitCommand& command);
int run(const config::StatusCommand& command);
int run(const config::EventsCommand& command);
int run(const config::ReloadCommand& command);
int run(const config::RestartCommand& command);
int run(const config::ScaleCommand& command);
int run(const config::ScheduleCommand& command);
int run(const config::RecycleCommand& command);
int run(const config::KillCommand& command);
int run(const config::SendCommand& command);
int run(const config::StopCommand& command);
int run(const config::LogsCommand& command);
int run(const config::ReopenCommand& command);

}  // namespace clusterd::ctl
