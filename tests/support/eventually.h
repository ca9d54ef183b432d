#pragma once

#include <chrono>
#include <poll.h>

namespace clusterd::test {

/// True as soon as `fact()` is; false if it is not within `deadline`. The only way tests wait.
template <typename Fact>
[[nodiscard]] bool eventually(Fact&& fact, std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  for (;;) {
    if (fact()) return true;
    if (std::chrono::steady_clock::now() >= end) return false;
    ::poll(nullptr, 0, 2);
  }
}

}  // namespace clusterd::test
