#pragma once

#include "common/json.h"
#include "master/core/cluster.h"
#include "master/runtime/messenger.h"

#include <string>

namespace clusterd::runtime {

/// `accepting_ready`: whether new clients may be sent here. A stop first says no, and serves on for
/// stop_delay; `stops_in_s` is what is left of it.
void write_readiness(JsonWriter& json, const core::Cluster& cluster, TimePoint now);

/// `messages`: what was queued, one for each receiver, what was lost, and what waits now.
void write_messages(JsonWriter& json, const Messenger::Carried& messages);

/// `log`: what could not be written, and, if that is known, why nothing can be now.
void write_log(JsonWriter& json, const std::string& error);

}  // namespace clusterd::runtime
