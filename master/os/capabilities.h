#pragma once

#include "common/error.h"

#include <cstdint>
#include <string>

namespace clusterd::os {

/// Capabilities (capabilities(7)) as a set of bits, 1 << CAP_....
using Capabilities = std::uint64_t;

[[nodiscard]] constexpr Capabilities capability(int number) {
  return Capabilities{1} << static_cast<unsigned>(number);
}

/// Those that this process may use now.
[[nodiscard]] Capabilities effective_capabilities();

/// Gives up all others for good: they are in no set of this process any more, nor of any program
/// that it starts, whoever may own that. Without CAP_SETPCAP the bounding set stays as it is.
[[nodiscard]] Result<void> keep_capabilities(Capabilities keep);

/// Does without some of them for its lifetime.
class WithoutCapabilities {
 public:
  explicit WithoutCapabilities(Capabilities without);
  ~WithoutCapabilities();
  WithoutCapabilities(const WithoutCapabilities&) = delete;
  WithoutCapabilities& operator=(const WithoutCapabilities&) = delete;

 private:
  Capabilities before_;
};

/// "CAP_KILL CAP_SETUID", in the order of their numbers.
[[nodiscard]] std::string names_of(Capabilities capabilities);

}  // namespace clusterd::os
