#include "agent/http_session.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include <string_view>
#include <utility>

namespace clusterd::agent {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::uint32_t kLongestHead = 8192;
/// What may be read ahead, of requests that are sent before they are answered.
constexpr std::size_t kMostAhead = 2 * std::size_t{kLongestHead};

/// A client that says something that is no HTTP, and not one that is slow or gone.
bool is_mistake(const beast::error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

}  // namespace

HttpSession::HttpSession(Socket socket, Inquiry& inquiry, const HttpLimits& limits)
    : stream_(std::move(socket)), inquiry_(inquiry), limits_(limits), buffer_(kMostAhead) {}

void HttpSession::close() {
  beast::error_code ignored;
  stream_.socket().close(ignored);
}

void HttpSession::read() {
  idle_ = true;
  since_ = Clock::now();
  parser_.emplace();
  parser_->header_limit(kLongestHead);
  stream_.expires_after(limits_.request);
  http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](const Error& error, std::size_t) { self->on_request(error); });
}

void HttpSession::on_request(const Error& error) {
  idle_ = false;
  stream_.expires_never();
  head_ = false;
  keep_alive_ = false;
  version_ = 11;
  if (error) {
    if (!is_mistake(error)) return close();
    const bool long_head = error == http::error::header_limit;
    return respond(long_head ? plain(431, "too long a head") : plain(400, "no HTTP request"));
  }
  const auto& request = parser_->get();
  version_ = request.version();
  head_ = request.method() == http::verb::head;
  if (!head_ && request.method() != http::verb::get) return respond(plain(405, "GET or HEAD"));
  keep_alive_ =
      request.keep_alive() && !parser_->chunked() && parser_->content_length().value_or(0) == 0;
  const auto target = request.target();
  const Endpoint endpoint = endpoint_of({target.data(), target.size()});
  if (endpoint == Endpoint::none) return respond(answer_to(endpoint, std::nullopt));
  inquiry_.want(endpoint == Endpoint::metrics,
                [self = shared_from_this(), endpoint](const std::optional<View>& view) {
                  self->respond(answer_to(endpoint, view));
                });
}

void HttpSession::respond(Answer answer) {
  since_ = Clock::now();
  answer_ = std::move(answer);
  response_.emplace(http::int_to_status(answer_.status), version_);
  response_->set(http::field::content_type, beast::string_view(answer_.type));
  response_->set(http::field::cache_control, "no-store");
  if (answer_.status == 405) response_->set(http::field::allow, "GET, HEAD");
  response_->content_length(answer_.body->size());
  response_->keep_alive(keep_alive_);
  response_->body() = beast::span<const char>(answer_.body->data(), answer_.body->size());
  serializer_.emplace(*response_);
  stream_.expires_after(limits_.answer);
  auto written = [self = shared_from_this()](const Error& error, std::size_t) {
    self->on_written(error);
  };
  if (head_) {
    http::async_write_header(stream_, *serializer_, std::move(written));
  } else {
    http::async_write(stream_, *serializer_, std::move(written));
  }
}

void HttpSession::on_written(const Error& error) {
  answer_ = {};
  // The end of a message that says "Connection: close" is told as an error of its own.
  if (error && error != http::error::end_of_stream) return close();
  if (keep_alive_) return read();
  Error ignored;
  stream_.socket().shutdown(Socket::shutdown_send, ignored);
  stream_.expires_after(limits_.linger);
  linger();
}

/// A close with something unread is a reset, which can overtake the answer.
void HttpSession::linger() {
  idle_ = true;
  stream_.async_read_some(boost::asio::buffer(rest_),
                          [self = shared_from_this()](const Error& error, std::size_t) {
                            if (error) return self->close();
                            self->linger();
                          });
}

}  // namespace clusterd::agent
