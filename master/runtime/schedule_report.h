#pragma once

#include "master/core/schedules.h"
#include "master/runtime/reply.h"

#include <functional>
#include <string>
#include <vector>

namespace clusterd::runtime {

/// "one", "all", "agent", "command"
[[nodiscard]] const char* target_name(config::Schedule::Target target);
/// "ok", "error", "sent", "skipped"
[[nodiscard]] const char* result_name(core::schedule::Result result);

/// The answer to the verb `schedules`: {"ok":true,"schedules":[...]}.
[[nodiscard]] std::string schedule_report(
    const std::vector<core::Schedules::Entry>& entries, const core::Moment& now,
    const std::function<std::string(core::schedule::RunId)>& text_of);

/// The answer to the verb `run`, when the run is over.
void answer_run(const Reply& reply, const core::schedule::Ended& ended, const std::string& run);

}  // namespace clusterd::runtime
