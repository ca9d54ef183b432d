#pragma once

#include <cerrno>
#include <cstdint>
#include <string>

namespace clusterd::core {

/// How a child ended.
struct ExitStatus {
  enum class Kind : std::uint8_t {
    exited,       ///< `value` is the exit code
    signaled,     ///< `value` is the signal's number
    not_started,  ///< fork or exec failed; `value` is the errno, `detail` the step that failed
  };

  Kind kind = Kind::exited;
  int value = 0;
  bool dumped_core = false;
  std::string detail;

  /// There was no room for it on the machine, which is no fault of its own.
  [[nodiscard]] bool lacked_room() const {
    return kind == Kind::not_started &&
           (value == EAGAIN || value == ENOMEM || value == EMFILE || value == ENFILE);
  }

  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

}  // namespace clusterd::core
