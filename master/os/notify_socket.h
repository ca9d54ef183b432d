#pragma once

#include "common/error.h"
#include "common/notify.h"
#include "common/unique_fd.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace clusterd::os {

/// The NOTIFY_SOCKET of one child. Each has its own, so that one that floods it silences nobody
/// else. Its name is abstract and the kernel's choice: no file to make, protect or remove. Anybody
/// in the network namespace can send to it, so what comes counts only from a process that the
/// kernel says is in the child's process group.
class NotifySocket {
 public:
  [[nodiscard]] static Result<NotifySocket> open();

  /// As NOTIFY_SOCKET says it: "@" and the name.
  [[nodiscard]] const std::string& address() const { return address_; }
  /// Readable when something was said.
  [[nodiscard]] int fd() const { return fd_.get(); }

  /// What the group of `child`, which is not reaped, has said; never blocks. Reads so many
  /// datagrams that a flood cannot keep the caller: what is left makes fd() readable again.
  /// Descriptors that came along are closed.
  [[nodiscard]] std::vector<notify::Said> receive(pid_t child);

 private:
  NotifySocket(UniqueFd fd, std::string address)
      : fd_(std::move(fd)), address_(std::move(address)) {}

  UniqueFd fd_;
  std::string address_;
};

}  // namespace clusterd::os
