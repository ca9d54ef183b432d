#pragma once

#include <cstdint>

namespace clusterd::core {

/// The whole cluster's life:
///
///     idle -> starting -> running -> delaying -> stopping -> finished
///
/// starting: the agent first; when it is ready, the agent program, if there is to be one; then all
/// workers; when all are ready, running.
/// delaying: a stop was asked for, but who sends clients here may not know yet. Clients are served
/// and the dead replaced as before, for Plan::stop_delay; nothing else begins. Where there is no
/// such delay, and in a start, stopping comes at once.
/// stopping: no more connections, workers drain, then the agent program ends, then the agent; then
/// nothing is left.
enum class ClusterState : std::uint8_t { idle, starting, running, delaying, stopping, finished };

[[nodiscard]] const char* to_string(ClusterState state);

}  // namespace clusterd::core
