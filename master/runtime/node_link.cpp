#include "master/runtime/node_link.h"

#include "common/node_reply.h"

#include <cassert>
#include <fcntl.h>
#include <sys/socket.h>
#include <utility>

namespace clusterd::runtime {

void NodeLink::ask_to_leave() {
  if (std::exchange(leaves_, true)) return;
  say(node::disconnect(next_seq()));
}

void NodeLink::hang_up() {
  if (!std::exchange(hung_up_, true)) channel_->end();
}

bool NodeLink::hand_over(std::string line, UniqueFd fd, std::function<void()> failed) {
  constexpr std::size_t kMostWaiting = 64;
  if (waiting_.size() >= kMostWaiting || !fit_for_node(fd.get())) return false;
  waiting_.push_back({std::move(line), std::move(fd), std::move(failed)});
  go_on();
  return true;
}

bool NodeLink::send_connection(std::string_view line, int fd) {
  assert(is_free() && fit_for_node(fd));
  if (!channel_->send_now(line, fd)) return false;
  gate_.sent_descriptor();
  connection_ = true;
  return true;
}

void NodeLink::probe() {
  if (!is_free()) return;
  gate_.sent_probe();
  say(node::probe());
}

NodeLink::Answered NodeLink::acknowledged() {
  if_it_failed_ = nullptr;
  return {gate_.acknowledged(), std::exchange(connection_, false)};
}

NodeLink::Answered NodeLink::refused() {
  const Answered answered{gate_.refused(), std::exchange(connection_, false)};
  if (const auto failed = std::exchange(if_it_failed_, nullptr)) failed();
  return answered;
}

void NodeLink::go_on() {
  if (!gate_.is_free() || waiting_.empty()) return;
  Waiting& next = waiting_.front();
  if (!channel_->send_now(next.line, next.fd.get())) return;
  gate_.sent_descriptor();
  if_it_failed_ = std::move(next.failed);
  waiting_.pop_front();
}

bool is_of_type(std::string_view type, int fd) {
  if (!fit_for_node(fd)) return false;
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0) return false;
  if (type == "net.Server") return listens != 0;
  int kind = 0;
  size = sizeof kind;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &size) < 0) return false;
  if (type == "dgram.Socket") return kind == SOCK_DGRAM;
  sockaddr_storage peer{};
  size = sizeof peer;
  return type == "net.Socket" && kind == SOCK_STREAM && listens == 0 &&
         ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

void set_nonblocking(int fd) { (void)::fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK); }

bool fit_for_node(int fd) {
  int domain = 0;
  int type = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0) return false;
  size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0) return false;
  const bool ip = domain == AF_INET || domain == AF_INET6;
  if (type == SOCK_DGRAM) return ip;
  const int flags = ::fcntl(fd, F_GETFL);
  return type == SOCK_STREAM && (ip || domain == AF_UNIX) && flags >= 0 &&
         (flags & O_NONBLOCK) != 0;
}

}  // namespace clusterd::runtime
