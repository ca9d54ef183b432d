#pragma once

#include <cstdint>
#include <string>

/// What only the agent program says on its channel (protocol.h).
namespace clusterd::protocol {

/// "An exception escaped a handler, and I live on."
struct Failed {
  std::string what;  ///< at most kLongestReason bytes
  friend bool operator==(const Failed&, const Failed&) = default;
};

/// With the newline.
[[nodiscard]] std::string encode(const Failed& message);

}  // namespace clusterd::protocol
