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

void NodeLink::hand_over(std::string line, UniqueFd fd, std::function<void()> failed) {
  assert(fit_for_node(fd.get()));
  waiting_.push_back({std::move(line), std::move(fd), std::move(failed)});
  go_on();
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
