#include "master/os/notify_socket.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace clusterd::os {
namespace {

constexpr int kBudget = 16;  // datagrams at once

/// The sender as the kernel knows it: it lets nobody but root name another.
pid_t sender_of(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS) continue;
    ucred sender{};
    std::memcpy(&sender, CMSG_DATA(part), sizeof sender);
    return sender.pid;
  }
  return 0;
}

/// 0 is a sender whom our PID namespace does not show. One that has ended and was reaped is of no
/// group any more, and is not believed either.
bool belongs_to(pid_t sender, pid_t child) {
  return sender > 0 && (sender == child || ::getpgid(sender) == child);
}

}  // namespace

Result<NotifySocket> NotifySocket::open() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("make a notify socket");
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0) {
    return errno_error("ask for credentials on a notify socket");
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // A name of no length: the kernel chooses one.
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(sa_family_t)) < 0) {
    return errno_error("name a notify socket");
  }
  socklen_t length = sizeof address;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) < 0) {
    return errno_error("read the name of a notify socket");
  }
  const std::string_view name(address.sun_path + 1, length - offsetof(sockaddr_un, sun_path) - 1);
  return NotifySocket(std::move(fd), "@" + std::string(name));
}

std::vector<notify::Said> NotifySocket::receive(pid_t child) {
  std::vector<notify::Said> said;
  for (int budget = kBudget; budget > 0; --budget) {
    std::array<char, notify::kLongest + 1> text;  // one more: to see that it is too long
    // Room for the sender alone, who comes first: the kernel then closes all descriptors itself.
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> parts;
    iovec data{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = parts.data();
    message.msg_controllen = parts.size();
    const ssize_t length = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) break;
    if (!belongs_to(sender_of(message), child)) continue;
    said.push_back(notify::parse({text.data(), static_cast<std::size_t>(length)}));
  }
  return said;
}

}  // namespace clusterd::os
