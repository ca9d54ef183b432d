#pragma once

#include "common/json.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace clusterd::runtime {

/// The whole answer to a verb, without the newline; nothing if there is no such verb.
using VerbAnswer =
    std::function<std::optional<std::string>(const std::string& verb, const CheckedJson& request)>;

/// What a client hears to one line that it sent, which may be anything: one JSON object, without
/// the newline. A line that is a request is answered by `answer`, which no other line reaches.
[[nodiscard]] std::string answer_line(std::string_view line, const VerbAnswer& answer);

}  // namespace clusterd::runtime
