#pragma once

#include "common/error.h"
#include "common/unique_fd.h"

#include <cstdint>
#include <optional>

namespace clusterd::os {

/// A timer by the wall clock that also tells when that clock is set, or goes on after the machine
/// was asleep.
class WallTimer {
 public:
  [[nodiscard]] static Result<WallTimer> create();

  /// Readable when it has fired, or the clock was set while it is armed.
  [[nodiscard]] int fd() const { return fd_.get(); }

  /// At so many seconds since the epoch; at once if that is over. Nothing: never. True if the clock
  /// was set since, which take() will not tell any more.
  [[nodiscard]] bool set(std::optional<std::int64_t> at);

  enum class News : std::uint8_t { none, fired, clock_set };
  /// Takes what there is to be told. After clock_set it has to be set anew.
  [[nodiscard]] News take();

 private:
  explicit WallTimer(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace clusterd::os
