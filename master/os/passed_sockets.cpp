#include "master/os/passed_sockets.h"

#include <algorithm>
#include <fcntl.h>
#include <utility>

namespace clusterd::os {
namespace {

std::string quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

}  // namespace

void PassedSockets::add(std::string name, UniqueFd socket) {
  sockets_.push_back({std::move(name), std::move(socket)});
}

Result<UniqueFd> PassedSockets::find(std::string_view name) const {
  const auto named = [&](const Socket& socket) { return socket.name == name; };
  const auto count = std::count_if(sockets_.begin(), sockets_.end(), named);
  if (count > 1) {
    return make_error(std::to_string(count) + " sockets that were passed are named " +
                      quoted(name) +
                      ": each needs a socket unit, or a FileDescriptorName=, of its own");
  }
  if (count == 0) {
    if (std::count(closed_.begin(), closed_.end(), name) > 0) {
      return make_error("the socket " + quoted(name) +
                        " was passed, and closed since app.conf did not name it at the start: it " +
                        "needs a stop and a start");
    }
    std::string there;
    for (const Socket& socket : sockets_) {
      there += (there.empty() ? "there is " : ", ") + quoted(socket.name);
    }
    return make_error(
        "no socket " + quoted(name) + " was passed: " +
        (there.empty() ? "there is none at all, as if not started by a socket unit" : there));
  }
  const auto found = std::find_if(sockets_.begin(), sockets_.end(), named);
  UniqueFd copy(::fcntl(found->fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) return errno_error("copy the passed socket " + quoted(name));
  return copy;
}

std::vector<int> PassedSockets::descriptors() const {
  std::vector<int> all;
  for (const Socket& socket : sockets_) all.push_back(socket.fd.get());
  return all;
}

std::vector<std::string> PassedSockets::close_all_but(const std::vector<std::string>& wanted) {
  std::vector<std::string> lines;
  std::erase_if(sockets_, [&](const Socket& socket) {
    if (std::count(wanted.begin(), wanted.end(), socket.name) > 0) return false;
    lines.push_back("descriptor " + std::to_string(socket.fd.get()) + ", passed as " +
                    quoted(socket.name));
    closed_.push_back(socket.name);
    return true;
  });
  return lines;
}

}  // namespace clusterd::os
