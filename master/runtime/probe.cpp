#include "master/runtime/probe.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <utility>

namespace clusterd::runtime {
namespace {

constexpr auto kPause = std::chrono::milliseconds(100);  // between two attempts
constexpr auto kLook = std::chrono::milliseconds(10);    // at the queue
constexpr auto kPatience = std::chrono::seconds(2);      // of one attempt: another may be luckier
constexpr std::size_t kLongestStatusLine = 4096;

using Error = boost::system::error_code;

}  // namespace

int http_status(const std::string& line) {
  constexpr std::size_t kCode = 9;  // after "HTTP/1.1 "
  if (!line.starts_with("HTTP/1.") || line.size() < kCode + 3 || line[kCode - 1] != ' ') return 0;
  int code = 0;
  for (const char c : line.substr(kCode, 3)) {
    if (c < '0' || c > '9') return 0;
    code = code * 10 + (c - '0');
  }
  return code;
}

Probe::Target Probe::target(int listener) {
  Target target;
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) < 0) return target;
  if (address.ss_family == AF_INET) {
    auto& in = reinterpret_cast<sockaddr_in&>(address);
    if (in.sin_addr.s_addr == INADDR_ANY) in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else if (address.ss_family == AF_INET6) {
    auto& in = reinterpret_cast<sockaddr_in6&>(address);
    if (IN6_IS_ADDR_UNSPECIFIED(&in.sin6_addr)) in.sin6_addr = in6addr_loopback;
  }
  target.at = {&address, length, 0};
  target.queue.reset(::fcntl(listener, F_DUPFD_CLOEXEC, 0));
  return target;
}

/// Its handlers keep it alive, and do nothing once it is closed.
class Probe::Attempts : public std::enable_shared_from_this<Attempts> {
 public:
  Attempts(boost::asio::io_context& io, Target target, std::function<void()> passed, Failed failed)
      : target_(std::move(target)),
        passed_(std::move(passed)),
        failed_(std::move(failed)),
        socket_(io),
        timer_(io),
        deadline_(io) {
    if (!target_.path.empty()) {
      request_ = "GET " + target_.path + " HTTP/1.1\r\nHost: " + target_.host +
                 "\r\nUser-Agent: clusterd\r\nConnection: close\r\n\r\n";
    }
  }

  void begin();
  void close() {
    closed_ = true;
    end_attempt();
    timer_.cancel();
  }

 private:
  void end_attempt() {
    ++attempt_;
    Error ignored;
    socket_.close(ignored);
    deadline_.cancel();
  }
  void again(const std::string& why);
  [[nodiscard]] std::string too_late() const;
  [[nodiscard]] std::string answered(int status) const;
  void pass();
  void connected();
  void look_at_queue();
  void read_on();

  /// Calls `next` if the attempt is still the same, and has not failed.
  template <typename Next>
  auto then(Next next) {
    return [self = shared_from_this(), attempt = attempt_, next](Error error, auto...) {
      if (self->closed_ || attempt != self->attempt_) return;
      if (error) return self->again(error.message());
      next(*self);
    };
  }

  Target target_;
  std::function<void()> passed_;
  Failed failed_;
  std::string last_failure_;
  boost::asio::generic::stream_protocol::socket socket_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer deadline_;
  std::string request_;
  std::string answer_;
  std::array<char, 512> piece_{};
  unsigned attempt_ = 0;
  bool closed_ = false;
};

void Probe::Attempts::begin() {
  answer_.clear();
  deadline_.expires_after(kPatience);
  deadline_.async_wait(then([](Attempts& self) { self.again(self.too_late()); }));
  socket_.async_connect(target_.at, then([](Attempts& self) { self.connected(); }));
}

std::string Probe::Attempts::too_late() const {
  return request_.empty() ? "nobody accepted it" : "GET " + target_.path + " was not answered";
}

void Probe::Attempts::again(const std::string& why) {
  end_attempt();
  if (std::exchange(last_failure_, why) != why) failed_(why);
  timer_.expires_after(kPause);
  timer_.async_wait(then([](Attempts& self) { self.begin(); }));
}

void Probe::Attempts::pass() {
  const auto self = shared_from_this();
  close();
  passed_();
}

void Probe::Attempts::connected() {
  if (request_.empty()) return look_at_queue();
  boost::asio::async_write(socket_, boost::asio::buffer(request_),
                           then([](Attempts& self) { self.read_on(); }));
}

/// Ours is one of those in the queue, so when nobody is, somebody has accepted it.
void Probe::Attempts::look_at_queue() {
  pollfd queue{target_.queue.get(), POLLIN, 0};
  if (::poll(&queue, 1, 0) == 0) return pass();
  timer_.expires_after(kLook);
  timer_.async_wait(then([](Attempts& self) { self.look_at_queue(); }));
}

void Probe::Attempts::read_on() {
  socket_.async_read_some(
      boost::asio::buffer(piece_),
      [self = shared_from_this(), attempt = attempt_](Error error, std::size_t size) {
        if (self->closed_ || attempt != self->attempt_) return;
        self->answer_.append(self->piece_.data(), size);
        const bool whole = self->answer_.find('\n') != std::string::npos;
        if (!whole && !error && self->answer_.size() < kLongestStatusLine) return self->read_on();
        const int status = whole ? http_status(self->answer_) : 0;
        if (status >= 200 && status < 400) return self->pass();
        self->again(self->answered(status));
      });
}

std::string Probe::Attempts::answered(int status) const {
  const std::string request = "GET " + target_.path + " was answered with ";
  if (answer_.empty()) return request + "nothing";
  if (status == 0) return request + "what is no HTTP";
  return request + std::to_string(status) + ", and not with 200 to 399";
}

Probe::Probe(boost::asio::io_context& io, Target target, std::function<void()> passed,
             Failed failed)
    : attempts_(
          std::make_shared<Attempts>(io, std::move(target), std::move(passed), std::move(failed))) {
  attempts_->begin();
}

// NOLINTNEXTLINE(bugprone-exception-escape): a timer of an io_context that lives can be cancelled.
Probe::~Probe() { attempts_->close(); }

}  // namespace clusterd::runtime
