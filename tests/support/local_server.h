#pragma once

#include "common/unique_fd.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <netinet/in.h>
#include <sys/socket.h>

namespace clusterd::test {

/// A listening socket of the test's own, on 127.0.0.1 and a port that the kernel chose.
struct LocalServer {
  LocalServer() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    REQUIRE(::bind(fd.get(), plain, length) == 0);
    REQUIRE(::listen(fd.get(), 64) == 0);
    REQUIRE(::getsockname(fd.get(), plain, &length) == 0);
    port = ntohs(address.sin_port);
  }

  UniqueFd fd;
  std::uint16_t port = 0;
};

}  // namespace clusterd::test
