#pragma once

#include "master/core/cluster.h"
#include "master/runtime/event.h"

#include <optional>
#include <sys/types.h>

namespace clusterd::runtime {

/// An event about this child, of which the rest is to be filled in. `pid` is 0 if it has none.
[[nodiscard]] Event event_about(std::string name, ChildId child, SlotId slot, pid_t pid,
                                Generation generation);

/// What the core has to tell, for the event log and the hooks; nothing for what is of interest only
/// in the log. `pid` and `generation` are the child's.
[[nodiscard]] std::optional<Event> to_event(const core::Note& note, pid_t pid,
                                            Generation generation);

}  // namespace clusterd::runtime
