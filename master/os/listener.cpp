#include "master/os/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace clusterd::os {
namespace {

bool set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

}  // namespace

Result<Listener> Listener::open(const Address& address, int backlog) {
  const std::string where = address.text();
  Listener listener;
  listener.fd_.reset(
      ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  const int fd = listener.fd();
  if (fd < 0) return errno_error("make a socket for " + where);
  // Connections of an earlier run may linger in TIME_WAIT.
  if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return errno_error("set options of " + where);
  // "[::]" is IPv6 alone, so that it can stand beside "0.0.0.0" whatever the machine's default is.
  if (address.is_v6() && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) {
    return errno_error("set options of " + where);
  }
  if (::bind(fd, address.data(), address.size()) < 0) return errno_error("bind " + where);
  if (::listen(fd, backlog) < 0) return errno_error("listen on " + where);

  sockaddr_storage real{};
  socklen_t length = sizeof real;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&real), &length) < 0) {
    return errno_error("read the address of " + where);
  }
  auto parsed = Address::from(reinterpret_cast<const sockaddr*>(&real), length);
  if (!parsed) return parsed.error();
  listener.address_ = *parsed;
  return listener;
}

std::uint32_t Listener::waiting() const {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (::getsockopt(fd(), IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return 0;
  return info.tcpi_unacked;  // for a listening socket: the length of its accept queue
}

}  // namespace clusterd::os
