#pragma once

#include "common/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/socket.h>

namespace clusterd {

/// A TCP address: "0.0.0.0:8080", "[::]:8080", "127.0.0.1:0" (the kernel picks the port).
/// Numbers only: the master never asks a name server.
class Address {
 public:
  Address() = default;

  /// Reads one of the forms above; the error says which part was wrong.
  [[nodiscard]] static Result<Address> parse(std::string_view text);

  /// The address that a kernel call filled in. An address of another family gives an error.
  [[nodiscard]] static Result<Address> from(const sockaddr* address, socklen_t length);

  [[nodiscard]] int family() const { return storage_.ss_family; }
  [[nodiscard]] bool is_v6() const { return family() == AF_INET6; }
  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] const sockaddr* data() const;
  [[nodiscard]] socklen_t size() const;

  /// The form that parse() reads.
  [[nodiscard]] std::string text() const;

  friend bool operator==(const Address& a, const Address& b) { return a.text() == b.text(); }

 private:
  sockaddr_storage storage_{};
};

}  // namespace clusterd
