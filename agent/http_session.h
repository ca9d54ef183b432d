#pragma once

#include "agent/endpoints.h"
#include "agent/inquiry.h"
#include "common/clock.h"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/span_body.hpp>

#include <array>
#include <memory>
#include <optional>

namespace clusterd::agent {

/// How much of a client's time, and of our memory, one connection may have.
struct HttpLimits {
  Duration request = std::chrono::seconds(5);  ///< for a whole head, and between two
  Duration answer = std::chrono::seconds(10);  ///< to take it
  Duration linger = std::chrono::seconds(1);   ///< for what it still sends after the last answer
  std::size_t clients = 64;
};

/// One client: a request is read, answered, and then the next one. Requests have no bodies here, so
/// after one that has, and after what is no HTTP, the connection ends with the answer.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;

  HttpSession(Socket socket, Inquiry& inquiry, const HttpLimits& limits);

  void start() { read(); }
  void close();

  /// It owes us a request, and since when.
  [[nodiscard]] bool is_idle() const { return idle_; }
  [[nodiscard]] TimePoint since() const { return since_; }

 private:
  using Error = boost::beast::error_code;
  using Parser = boost::beast::http::request_parser<boost::beast::http::empty_body>;
  using Body = boost::beast::http::span_body<const char>;
  using Response = boost::beast::http::response<Body>;

  void read();
  void on_request(const Error& error);
  void respond(Answer answer);
  void on_written(const Error& error);
  void linger();

  boost::beast::basic_stream<boost::asio::generic::stream_protocol> stream_;
  Inquiry& inquiry_;
  HttpLimits limits_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  Answer answer_;
  std::optional<Response> response_;
  std::optional<boost::beast::http::response_serializer<Body>> serializer_;
  std::array<char, 4096> rest_{};
  unsigned version_ = 11;
  bool head_ = false;
  bool keep_alive_ = false;
  bool idle_ = true;
  TimePoint since_;
};

}  // namespace clusterd::agent
