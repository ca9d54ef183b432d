#include "master/os/listener.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <iterator>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace clusterd::os {
namespace {

using Kind = ListenerSpec::Kind;

bool set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/// Before bind.
bool set_options(int fd, const ListenerSpec& spec) {
  if (spec.address.is_v6() && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, spec.v6only ? 1 : 0)) {
    return false;
  }
  if (spec.kind == Kind::udp) return true;
  // Connections of an earlier run may linger in TIME_WAIT.
  if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return false;
  // Accepted sockets inherit it, which saves each of them a call.
  if (spec.nodelay && !set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1)) return false;
  const auto defer = std::chrono::ceil<std::chrono::seconds>(spec.defer_accept);
  return defer.count() == 0 ||
         set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, static_cast<int>(defer.count()));
}

Result<UniqueFd> open_socket(const ListenerSpec& spec, const std::string& where) {
  const bool udp = spec.kind == Kind::udp;
  UniqueFd socket(::socket(spec.address.family(),
                           (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int fd = socket.get();
  if (fd < 0) return errno_error("make a socket for " + where);
  if (!set_options(fd, spec)) return errno_error("set options of " + where);
  if (::bind(fd, spec.address.data(), spec.address.size()) < 0) return errno_error("bind " + where);
  if (!udp && ::listen(fd, spec.backlog) < 0) return errno_error("listen on " + where);
  return socket;
}

Result<Address> real_address(int fd) {
  sockaddr_storage real{};
  socklen_t length = sizeof real;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&real), &length) < 0) {
    return errno_error("read the address of a socket");
  }
  return Address::from(reinterpret_cast<const sockaddr*>(&real), length);
}

int option_of(int fd, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
}

/// What somebody else's socket is, if it is anything that we can serve.
Result<Kind> kind_of(int fd, const std::string& name) {
  const int type = option_of(fd, SO_TYPE);
  if (type < 0) return make_error(name + " is no socket (a FIFO or a file?)");
  const int domain = option_of(fd, SO_DOMAIN);
  const bool is_ip = domain == AF_INET || domain == AF_INET6;
  if (type == SOCK_DGRAM && is_ip && option_of(fd, SO_PROTOCOL) == IPPROTO_UDP) return Kind::udp;
  if (type != SOCK_STREAM || (!is_ip && domain != AF_UNIX)) {
    return make_error(name + " is neither of TCP nor UDP nor a Unix stream socket");
  }
  if (option_of(fd, SO_ACCEPTCONN) != 1) {
    return make_error(name + " does not listen: a connection of its own, as with Accept=yes?");
  }
  return is_ip ? Kind::tcp : Kind::unix_socket;
}

/// Where it was bound: "/run/shop.sock", or "@name".
std::string unix_path(int fd) {
  sockaddr_un address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) < 0) return "";
  if (length <= offsetof(sockaddr_un, sun_path)) return "";
  const std::string path(address.sun_path, length - offsetof(sockaddr_un, sun_path));
  return path.front() == '\0' ? "@" + path.substr(1) : path.substr(0, path.find('\0'));
}

}  // namespace

Result<Listener> Listener::open(const ListenerSpec& spec) {
  Listener listener;
  listener.kind_ = spec.kind;
  if (spec.kind == Kind::unix_socket) {
    UnixListenerSpec at_path = spec.at_path;
    at_path.backlog = spec.backlog;
    auto opened = UnixListener::open(at_path);
    if (!opened) return opened.error();
    listener.at_path_.emplace(std::move(*opened));
    return listener;
  }
  listener.address_ = spec.address;
  auto socket = open_socket(spec, listener.text());
  if (!socket) return socket.error();
  listener.fd_ = std::move(*socket);
  auto real = real_address(listener.fd());
  if (!real) return real.error();
  listener.address_ = *real;
  return listener;
}

Result<Listener> Listener::open_abstract(const std::string& name, int backlog) {
  Listener listener;
  listener.kind_ = Kind::unix_socket;
  listener.path_ = "@" + name;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) {
    errno = EINVAL;
    return errno_error("bind " + listener.text());
  }
  std::copy(name.begin(), name.end(), address.sun_path + 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  listener.fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener.fd_) return errno_error("make a Unix socket");
  if (::bind(listener.fd(), reinterpret_cast<const sockaddr*>(&address), size) < 0) {
    return errno_error("bind " + listener.text());
  }
  if (::listen(listener.fd(), backlog) < 0) return errno_error("listen on " + listener.text());
  return listener;
}

Result<Listener> Listener::adopt(UniqueFd socket, const std::string& name) {
  Listener listener;
  listener.passed_ = true;
  auto kind = kind_of(socket.get(), name);
  if (!kind) return kind.error();
  listener.kind_ = *kind;
  if (*kind == Kind::unix_socket) {
    listener.path_ = unix_path(socket.get());
  } else {
    auto real = real_address(socket.get());
    if (!real) return real.error();
    listener.address_ = *real;
  }
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) < 0) {
    return errno_error("make " + name + " non-blocking");
  }
  listener.fd_ = std::move(socket);
  return listener;
}

Result<Listener> Listener::open(const Address& address, int backlog) {
  ListenerSpec spec;
  spec.address = address;
  spec.backlog = backlog;
  return open(spec);
}

Result<Listener> Listener::share(const ListenerSpec& spec) const {
  Listener other;
  other.kind_ = kind_;
  other.address_ = address_;
  if (at_path_) {
    UnixListenerSpec at_path = spec.at_path;
    at_path.backlog = spec.backlog;
    auto shared = at_path_->share(at_path);
    if (!shared) return shared.error();
    other.at_path_.emplace(std::move(*shared));
    return other;
  }
  other.fd_.reset(::fcntl(fd(), F_DUPFD_CLOEXEC, 0));
  if (!other.fd_) return errno_error("copy the descriptor of " + text());
  other.passed_ = passed_;
  other.path_ = path_;
  if (passed_ || kind_ == Kind::unix_socket) return other;
  other.accept_new();
  if (kind_ == Kind::udp) return other;
  const auto defer = std::chrono::ceil<std::chrono::seconds>(spec.defer_accept);
  if (!set_option(fd(), IPPROTO_TCP, TCP_NODELAY, spec.nodelay ? 1 : 0) ||
      !set_option(fd(), IPPROTO_TCP, TCP_DEFER_ACCEPT, static_cast<int>(defer.count()))) {
    return errno_error("set options of " + text());
  }
  if (::listen(fd(), spec.backlog) < 0) return errno_error("listen on " + text());
  return other;
}

std::string Listener::text() const {
  switch (kind_) {
    case Kind::tcp:
      return address_.text();
    case Kind::unix_socket:
      return "unix:" + (at_path_ ? at_path_->path() : path_);
    case Kind::udp:
      return "udp://" + address_.text();
  }
  return "?";
}

std::uint32_t Listener::waiting() const {
  if (kind_ != Kind::tcp) return 0;
  tcp_info info{};
  socklen_t length = sizeof info;
  if (::getsockopt(fd(), IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return 0;
  return info.tcpi_unacked;  // for a listening socket: the length of its accept queue
}

namespace {

bool drop_new(int fd) {
  // A filter of the listening socket sees segments from their TCP header on. It drops those that
  // have SYN set and not ACK; handshakes that have begun end as always.
  constexpr std::uint32_t kFlags = 13;
  constexpr std::uint32_t kSyn = 0x02;
  constexpr std::uint32_t kAck = 0x10;
  constexpr std::uint32_t kWhole = 0xFFFF'FFFF;
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlags),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kSyn | kAck),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSyn, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, kWhole),
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

}  // namespace

void Listener::refuse_new() {
  if (at_path_) at_path_->hide();
  // Where the kernel refuses, a connection that comes in the next moment is reset by the close.
  if (kind_ == Kind::tcp && !passed_) static_cast<void>(drop_new(fd()));
}

bool may_refuse_new() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in local{};
  local.sin_family = AF_INET;
  local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local) == 0 &&
         ::listen(fd.get(), 1) == 0 && drop_new(fd.get());
}

void Listener::accept_new() {
  if (at_path_) at_path_->show();
  if (kind_ != Kind::tcp || passed_) return;
  const int unused = 0;
  (void)::setsockopt(fd(), SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
}

void Listener::close() {
  fd_.reset();
  if (at_path_) at_path_->close();
}

}  // namespace clusterd::os
