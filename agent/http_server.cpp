#include "agent/http_server.h"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>
#include <utility>

namespace clusterd::agent {
namespace {

constexpr int kAcceptedAtOnce = 16;
/// When there is no descriptor or memory for another.
constexpr auto kPause = std::chrono::milliseconds(100);

int family_of(int fd) {
  int family = AF_UNSPEC;
  socklen_t length = sizeof family;
  ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length);
  return family;
}

}  // namespace

HttpServer::HttpServer(boost::asio::io_context& io, Inquiry& inquiry, HttpLimits limits)
    : io_(io), inquiry_(inquiry), limits_(limits), pause_(io) {}

HttpServer::~HttpServer() {
  for (const auto& weak : sessions_) {
    if (const auto session = weak.lock()) session->close();
  }
}

void HttpServer::listen(UniqueFd listener) {
  pause_.cancel();
  listener_.reset();
  if (!listener) return;
  listener_ = std::make_unique<Listener>(io_, listener.release());
  wait();
}

void HttpServer::wait() {
  // `listener_` may be another one, or none, when this is called.
  listener_->async_wait(Listener::wait_read,
                        [this, waited = listener_.get()](boost::system::error_code error) {
                          if (!error && waited == listener_.get()) accept();
                        });
}

void HttpServer::accept() {
  for (int count = 0; count < kAcceptedAtOnce; ++count) {
    if (accept_one()) continue;
    if (errno == EAGAIN) break;
    if (errno == EINTR || errno == ECONNABORTED) continue;
    make_room();
    pause_.expires_after(kPause);
    pause_.async_wait([this](boost::system::error_code error) {
      if (!error && listener_) wait();
    });
    return;
  }
  wait();
}

bool HttpServer::accept_one() {
  UniqueFd fd(
      ::accept4(listener_->native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return false;
  if (clients() >= limits_.clients) make_room();
  HttpSession::Socket socket(io_);
  boost::system::error_code error;
  socket.assign(boost::asio::generic::stream_protocol(family_of(fd.get()), 0), fd.get(), error);
  if (error) return true;  // it is closed, and others are waiting
  (void)fd.release();
  const auto session = std::make_shared<HttpSession>(std::move(socket), inquiry_, limits_);
  sessions_.push_back(session);
  session->start();
  return true;
}

std::size_t HttpServer::clients() {
  std::erase_if(sessions_, [](const auto& session) { return session.expired(); });
  return sessions_.size();
}

void HttpServer::make_room() {
  std::shared_ptr<HttpSession> worst;
  for (const auto& weak : sessions_) {
    const auto session = weak.lock();
    if (!session) continue;
    const auto rank = [](const HttpSession& one) { return std::pair(!one.is_idle(), one.since()); };
    if (!worst || rank(*session) < rank(*worst)) worst = session;
  }
  if (!worst) return;
  worst->close();
  std::erase_if(sessions_, [&](const auto& weak) { return weak.lock() == worst; });
}

}  // namespace clusterd::agent
