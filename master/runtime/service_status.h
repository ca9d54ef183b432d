#pragma once

#include "master/core/cluster.h"

#include <string>

namespace clusterd::runtime {

/// The cluster in one line, as `systemctl status` shows it. It has nothing that changes by itself,
/// such as a time or a count of connections: another line means that something has happened.
[[nodiscard]] std::string service_status(const core::Cluster& cluster);

}  // namespace clusterd::runtime
