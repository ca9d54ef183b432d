#include "master/runtime/channel.h"

#include "common/fd_passing.h"

#include <cerrno>
#include <sys/socket.h>

namespace clusterd::runtime {
namespace {

using boost::asio::posix::stream_descriptor;

constexpr std::size_t kMostUnread = 1024 * 1024;
constexpr std::size_t kReadAtOnce = 64 * 1024;
constexpr auto kRetry = std::chrono::milliseconds(5);

/// Too many descriptors in flight for this user, or too little memory.
bool passes(const std::error_code& code) {
  return code == std::errc::no_buffer_space || code == std::errc::not_enough_memory ||
         code == std::error_code(ETOOMANYREFS, std::system_category());
}

}  // namespace

std::shared_ptr<Channel> Channel::open(boost::asio::io_context& io, UniqueFd fd,
                                       std::size_t longest_line, Events events) {
  std::shared_ptr<Channel> channel(new Channel(io, std::move(fd), longest_line, std::move(events)));
  channel->wait_readable();
  return channel;
}

Channel::Channel(boost::asio::io_context& io, UniqueFd fd, std::size_t longest_line, Events events)
    : socket_(io, fd.release()), retry_(io), lines_(longest_line), events_(std::move(events)) {}

void Channel::send(std::string line, std::vector<UniqueFd> fds) {
  if (!socket_.is_open()) return;
  outgoing_bytes_ += line.size();
  outgoing_.push_back({std::move(line), std::move(fds)});
  if (outgoing_bytes_ > kMostUnread) {
    fail("it does not read its channel");
  } else if (!waits_writable_) {
    write();
  }
}

void Channel::end() {
  ending_ = true;
  if (socket_.is_open() && outgoing_.empty()) ::shutdown(socket_.native_handle(), SHUT_WR);
}

void Channel::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  retry_.cancel();
  outgoing_.clear();
}

void Channel::wait_readable() {
  // A handler that is on its way when the channel closes comes with success all the same, so each
  // one looks whether the socket is still open.
  socket_.async_wait(stream_descriptor::wait_read,
                     [self = shared_from_this()](boost::system::error_code error) {
                       if (!error && self->socket_.is_open()) self->read();
                     });
}

void Channel::wait_writable() {
  waits_writable_ = true;
  socket_.async_wait(stream_descriptor::wait_write,
                     [self = shared_from_this()](boost::system::error_code error) {
                       self->waits_writable_ = false;
                       if (!error && self->socket_.is_open()) self->write();
                     });
}

void Channel::read() {
  static thread_local char buffer[kReadAtOnce];
  // recv(2) takes no descriptors: those that come along are closed by the kernel.
  const ssize_t got = ::recv(socket_.native_handle(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return wait_readable();
  if (got <= 0) return events_.ended();
  lines_.add({buffer, static_cast<std::size_t>(got)});
  while (const auto line = lines_.next()) {
    if (line->size() > lines_.longest()) return fail("a line that is too long");
    events_.line(*line);
    if (!socket_.is_open()) return;
  }
  if (lines_.too_long()) return fail("a line that is too long");
  wait_readable();
}

void Channel::write() {
  while (!outgoing_.empty()) {
    Outgoing& next = outgoing_.front();
    std::vector<int> fds;
    for (const UniqueFd& fd : next.fds) fds.push_back(fd.get());
    const auto sent = send_with_fds(socket_.native_handle(), next.bytes, fds);
    if (!sent) {
      if (sent.error().code == std::errc::resource_unavailable_try_again) return wait_writable();
      if (passes(sent.error().code)) return write_later();
      // The peer is gone; reading says so too, in its turn. What was queued is of no use.
      outgoing_.clear();
      outgoing_bytes_ = 0;
      return;
    }
    next.fds.clear();  // they went with the first byte
    next.bytes.erase(0, *sent);
    outgoing_bytes_ -= *sent;
    if (next.bytes.empty()) outgoing_.pop_front();
  }
  if (ending_) end();
}

/// There is room, but not for what goes with the bytes: nothing will wake us.
void Channel::write_later() {
  waits_writable_ = true;
  retry_.expires_after(kRetry);
  retry_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    self->waits_writable_ = false;
    if (!error && self->socket_.is_open()) self->write();
  });
}

void Channel::fail(std::string how) {
  const auto broken = events_.broken;
  close();
  broken(std::move(how));
}

}  // namespace clusterd::runtime
