#pragma once

#include "common/unique_fd.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

namespace clusterd::os {

/// Word to the service manager that started this process: sd_notify(3)'s datagrams. It is never
/// waited for and its absence is no fault, since a service works the same if nobody listens.
class SdNotify {
 public:
  /// Nobody wants to hear anything.
  SdNotify() = default;
  /// `address` is what NOTIFY_SOCKET says: a path, or "@" and an abstract name. Anything else is
  /// as if nothing had been said.
  explicit SdNotify(std::string_view address);

  [[nodiscard]] explicit operator bool() const { return static_cast<bool>(fd_); }
  [[nodiscard]] int fd() const { return fd_.get(); }

  enum class Sent : std::uint8_t {
    yes,
    full,  ///< the manager does not read now; it may later
    no,    ///< its socket is gone, or refuses us: saying it again would not help
  };
  /// One datagram of lines KEY=VALUE. Takes no longer than a system call.
  [[nodiscard]] Sent send(std::string_view text) const;

 private:
  // Open for good: a master that is out of descriptors must not miss its watchdog.
  UniqueFd fd_;
  sockaddr_un address_{};
  socklen_t length_ = 0;
};

/// `text` as the value of a line: in it, a line's end or another control character is a space.
[[nodiscard]] std::string sd_value(std::string_view text);

}  // namespace clusterd::os
