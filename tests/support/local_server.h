#pragma once

#include "common/unique_fd.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <netinet/in.h>
#include <sys/socket.h>
#include <vector>

namespace clusterd::test {

/// A socket of the test's own, bound to 127.0.0.1 and a port that the kernel chose.
struct LocalSocket {
  LocalSocket() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    REQUIRE(::bind(fd.get(), plain, length) == 0);
    REQUIRE(::getsockname(fd.get(), plain, &length) == 0);
    port = ntohs(address.sin_port);
  }

  UniqueFd fd;
  std::uint16_t port = 0;
};

/// One that listens.
struct LocalServer : LocalSocket {
  LocalServer() { REQUIRE(::listen(fd.get(), 64) == 0); }
};

/// A port that the kernel gives to nobody else while this program lives. Who listens on it needs
/// SO_REUSEADDR, which servers set.
[[nodiscard]] inline std::uint16_t free_port() {
  static std::vector<LocalSocket> kept;
  const LocalSocket& bound = kept.emplace_back();
  const int on = 1;
  REQUIRE(::setsockopt(bound.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
  return bound.port;
}

}  // namespace clusterd::test
