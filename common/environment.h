#pragma once

namespace clusterd {

/// What a child finds in its environment, beside what the configuration gives it.
inline constexpr const char* kEnvRole = "CLUSTERD_ROLE";              ///< worker, agent
inline constexpr const char* kEnvSlot = "CLUSTERD_SLOT";              ///< 0..n-1
inline constexpr const char* kEnvWorkerId = "CLUSTERD_WORKER_ID";     ///< 1, 2, ... never reused
inline constexpr const char* kEnvGeneration = "CLUSTERD_GENERATION";  ///< 1, 2, ...
inline constexpr const char* kEnvName = "CLUSTERD_NAME";              ///< the cluster's name
inline constexpr const char* kEnvChannelFd = "CLUSTERD_CHANNEL_FD";   ///< always kChannelFd

/// What a hook finds beside the cluster's name: which event it was started for.
inline constexpr const char* kEnvEvent = "CLUSTERD_EVENT";

/// What the program of a schedule finds: which one, and which run it is.
inline constexpr const char* kEnvSchedule = "CLUSTERD_SCHEDULE";
inline constexpr const char* kEnvRun = "CLUSTERD_RUN";

/// The channel's number in the child. Low, since Node marks only low numbers close-on-exec.
inline constexpr int kChannelFd = 3;

/// The built-in agent is the clusterd program itself, started with this and the cluster's name as
/// its only argument, argv[0]. Nobody starts a program so by hand, and ps shows what it is.
inline constexpr const char* kAgentTitle = "clusterd: agent of ";

}  // namespace clusterd
