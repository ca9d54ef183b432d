#pragma once

#include "common/address.h"
#include "common/error.h"
#include "common/unique_fd.h"

namespace clusterd::os {

/// A listening TCP socket. Non-blocking: the flag is shared with every worker that it is passed to.
class Listener {
 public:
  [[nodiscard]] static Result<Listener> open(const Address& address, int backlog);

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// The real one: port 0 is the kernel's choice by now.
  [[nodiscard]] const Address& address() const { return address_; }
  /// Connections in the kernel's queue.
  [[nodiscard]] std::uint32_t waiting() const;
  void close() { fd_.reset(); }
  [[nodiscard]] bool is_open() const { return static_cast<bool>(fd_); }

 private:
  UniqueFd fd_;
  Address address_;
};

}  // namespace clusterd::os
