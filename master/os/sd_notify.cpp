#include "master/os/sd_notify.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>

namespace clusterd::os {

SdNotify::SdNotify(std::string_view address) {
  const bool abstract = address.starts_with('@');
  if (address.size() < 2 || address.size() >= sizeof address_.sun_path) return;
  if (!abstract && !address.starts_with('/')) return;
  address_.sun_family = AF_UNIX;
  std::memcpy(address_.sun_path, address.data(), address.size());
  if (abstract) address_.sun_path[0] = '\0';
  // An abstract name has no zero at its end: one would be part of it.
  const std::size_t length = address.size() + (abstract ? 0 : 1);
  length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  const UniqueFd made(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Not the place of a stdin that is closed, where a daemon puts something else.
  if (made) fd_.reset(::fcntl(made.get(), F_DUPFD_CLOEXEC, 3));
}

SdNotify::Sent SdNotify::send(std::string_view text) const {
  if (!fd_) return Sent::no;
  // The address each time, and no connect(2): a socket made anew at the path is found again.
  for (;;) {
    if (::sendto(fd_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address_), length_) >= 0) {
      return Sent::yes;
    }
    if (errno != EINTR) break;
  }
  return errno == EAGAIN || errno == ENOBUFS ? Sent::full : Sent::no;
}

std::string sd_value(std::string_view text) {
  std::string value(text);
  std::replace_if(
      value.begin(), value.end(),
      [](char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f; }, ' ');
  return value;
}

}  // namespace clusterd::os
