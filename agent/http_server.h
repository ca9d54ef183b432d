#pragma once

#include "agent/http_session.h"
#include "agent/inquiry.h"
#include "common/unique_fd.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <vector>

namespace clusterd::agent {

/// Answers HTTP on a listening socket. Bounded in clients: one too many takes the place of who has
/// owed a request for the longest, so that those who hold connections for nothing keep nobody out.
class HttpServer {
 public:
  HttpServer(boost::asio::io_context& io, Inquiry& inquiry, HttpLimits limits = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  /// From now on here; nowhere, if it is none. Who is connected is served to the end.
  void listen(UniqueFd listener);

  [[nodiscard]] std::size_t clients();

 private:
  using Listener = boost::asio::posix::stream_descriptor;

  void wait();
  void accept();
  [[nodiscard]] bool accept_one();
  void make_room();

  boost::asio::io_context& io_;
  Inquiry& inquiry_;
  HttpLimits limits_;
  boost::asio::steady_timer pause_;
  std::unique_ptr<Listener> listener_;
  std::vector<std::weak_ptr<HttpSession>> sessions_;
};

}  // namespace clusterd::agent
