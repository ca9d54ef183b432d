#pragma once

#include <string>
#include <string_view>

namespace clusterd {

/// Any text as a JSON string with its quotes, as JsonWriter writes one.
void append_json_string(std::string& out, std::string_view text);

}  // namespace clusterd
