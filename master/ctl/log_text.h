#pragma once

#include <string>
#include <string_view>

namespace clusterd::ctl {

/// A line of `clusterd logs`, as it stands in the log: time, where or how important, who, and what
/// was said, without control characters. With `colour` each slot has one of its own. What has no
/// text, as the count of lines that were lost, is told as it is there.
[[nodiscard]] std::string log_text(std::string_view json, bool colour);

}  // namespace clusterd::ctl
