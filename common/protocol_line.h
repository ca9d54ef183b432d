#pragma once

#include "common/error.h"
#include "common/json.h"

#include <string>
#include <string_view>

/// How a line of the channel's own begins and ends (common/protocol.h).
namespace clusterd::protocol {

inline constexpr const char* kCommand = "CLUSTERD";

[[nodiscard]] inline JsonWriter begin(std::string_view act) {
  JsonWriter json;
  json.begin_object().member("cmd", kCommand).member("act", act);
  return json;
}

/// With the newline.
[[nodiscard]] inline std::string end(JsonWriter& json) {
  json.end_object();
  return json.take() + "\n";
}

[[nodiscard]] inline Error lacks(std::string_view act, std::string_view member) {
  return make_error("\"" + std::string(act) + "\" without a valid \"" + std::string(member) + "\"");
}

}  // namespace clusterd::protocol
