#include "clusterd/worker.hpp"
#include "worker/src/tally.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace clusterd {

std::string Peer::text() const {
  char host[INET6_ADDRSTRLEN] = "";
  if (family != AF_INET && family != AF_INET6) return "unknown";
  ::inet_ntop(family, address, host, sizeof host);
  const std::string name = family == AF_INET6 ? "[" + std::string(host) + "]" : host;
  return name + ":" + std::to_string(port);
}

Hold::Hold(std::shared_ptr<detail::Tally> tally) : tally_(std::move(tally)) {
  if (tally_) tally_->opened();
}

Hold& Hold::operator=(Hold&& other) noexcept {
  std::swap(tally_, other.tally_);
  return *this;
}

Hold::~Hold() {
  if (tally_) tally_->closed();
}

Connection::Connection(int fd, const Peer& peer, Hold hold) noexcept
    : fd_(fd), peer_(peer), hold_(std::move(hold)) {}

Connection::Connection(Connection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), peer_(other.peer_), hold_(std::move(other.hold_)) {}

Connection& Connection::operator=(Connection&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    peer_ = other.peer_;
    hold_ = std::move(other.hold_);
  }
  return *this;
}

void Connection::close() noexcept {
  if (fd_ < 0) return;
  ::shutdown(fd_, SHUT_WR);
  ::close(std::exchange(fd_, -1));
  hold_ = Hold();
}

Connection::Detached Connection::detach() noexcept {
  if (hold_.tally_) hold_.tally_->notify_master();
  return {std::exchange(fd_, -1), std::exchange(hold_, Hold())};
}

}  // namespace clusterd
