#pragma once

#include "common/json.h"
#include "master/runtime/reply.h"

#include <functional>
#include <string>
#include <string_view>

namespace clusterd::runtime {

/// Carries a verb out, at once or over time, and says so to `reply`. False if there is no such
/// verb. `request` points into the client's line, which is gone after the call.
using VerbAnswer =
    std::function<bool(const std::string& verb, const CheckedJson& request, const Reply& reply)>;

/// Answers one line that a client sent, which may be anything. A line that is a request goes to
/// `answer`, which no other line reaches; all others are refused.
void answer_line(std::string_view line, const Reply& reply, const VerbAnswer& answer);

}  // namespace clusterd::runtime
