#include "master/runtime/channel.h"

#include "common/fd_passing.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/sockios.h>
#include <span>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace clusterd::runtime {
namespace {

using boost::asio::posix::stream_descriptor;

constexpr std::size_t kMostUnread = 1024 * 1024;
/// Descriptors that wait for a peer are the master's own, and all others want some too.
constexpr std::size_t kMostWaitingFds = 256;
constexpr std::size_t kReadAtOnce = 64 * 1024;
constexpr int kMostOfRest = 16;  // reads of a peer that has ended
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
  outgoing_fds_ += fds.size();
  outgoing_.push_back({std::move(line), std::move(fds)});
  if (outgoing_bytes_ > kMostUnread || outgoing_fds_ > kMostWaitingFds) {
    fail("it does not read its channel");
  } else if (!waits_writable_) {
    write();
  }
}

bool Channel::send_now(std::string_view line, int fd) {
  if (!socket_.is_open()) return false;
  had_no_room_ = true;
  if (waits_writable_ || !outgoing_.empty() || !messages_.begun().empty()) return false;
  const auto sent = send_with_fds(socket_.native_handle(), line, {&fd, 1});
  if (!sent) {
    (void)judge(sent.error().code);
    return false;
  }
  had_no_room_ = false;
  if (*sent < line.size()) send(std::string(line.substr(*sent)));
  return true;
}

bool Channel::post(std::string_view line, core::MessageQueue::Ticket ticket, std::size_t most) {
  if (is_gone() || !messages_.push(line, ticket, most)) return false;
  write_soon();
  return true;
}

void Channel::write_soon() {
  if (!socket_.is_open() || waits_writable_ || std::exchange(writes_soon_, true)) return;
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->writes_soon_ = false;
    if (self->socket_.is_open() && !self->waits_writable_) self->write();
  });
}

void Channel::end() {
  ending_ = true;
  if (socket_.is_open() && outgoing_.empty() && (gone_ || messages_.empty()))
    ::shutdown(socket_.native_handle(), SHUT_WR);
}

bool Channel::is_read() {
  if (!socket_.is_open()) return true;
  int unread = 0;
  // Of a Unix socket: what is in the queue of its peer.
  if (::ioctl(socket_.native_handle(), SIOCOUTQ, &unread) < 0) return true;
  return unread == 0 && outgoing_.empty() && messages_.empty();
}

void Channel::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  retry_.cancel();
  descriptor_.reset();
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
  const ssize_t got = receive(buffer, sizeof buffer);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return wait_readable();
  if (got <= 0) return events_.ended();
  if (take({buffer, static_cast<std::size_t>(got)})) wait_readable();
}

/// As recv(2), which takes no descriptors: those that come along are closed by the kernel.
ssize_t Channel::receive(char* buffer, std::size_t size) {
  const int fd = socket_.native_handle();
  if (!keeps_descriptor_) return ::recv(fd, buffer, size, MSG_DONTWAIT);
  // Who sends another before the first was answered for does not follow the protocol.
  auto received = receive_with_fds(fd, std::as_writable_bytes(std::span(buffer, size)), 1);
  if (!received) return -1;
  if (!received->fds.empty() && !descriptor_) descriptor_ = std::move(received->fds.front());
  return static_cast<ssize_t>(received->bytes);
}

void Channel::read_rest() {
  // Not the buffer of read(), which may be on its way through this.
  std::vector<char> buffer(kReadAtOnce);
  for (int reads = 0; reads < kMostOfRest && socket_.is_open(); ++reads) {
    const ssize_t got = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got <= 0 || !take({buffer.data(), static_cast<std::size_t>(got)})) return;
  }
}

std::string Channel::too_long() const {
  return "it sent a line of more than " + std::to_string(lines_.longest()) + " bytes";
}

/// False if that was the end of the channel.
bool Channel::take(std::string_view bytes) {
  lines_.add(bytes);
  while (const auto line = lines_.next()) {
    if (line->size() > lines_.longest()) {
      fail(too_long());
      return false;
    }
    events_.line(*line);
    if (!socket_.is_open()) return false;
  }
  if (lines_.too_long()) fail(too_long());
  return socket_.is_open() && !lines_.too_long();
}

void Channel::write() {
  const bool had_any =
      std::exchange(had_no_room_, false) || !outgoing_.empty() || !messages_.empty();
  Wrote wrote = write_messages(true);
  if (wrote == Wrote::all) wrote = write_lines();
  if (wrote == Wrote::all) wrote = write_messages(false);
  if (wrote == Wrote::gone) {
    // Reading says so too, in its turn. Messages stay until it is known which were heard.
    gone_ = true;
    outgoing_.clear();
    outgoing_bytes_ = outgoing_fds_ = 0;
    return;
  }
  if (low_ && messages_.size() <= *low_) {
    low_.reset();
    if (events_.low) events_.low();
  }
  if (wrote == Wrote::wait || !socket_.is_open()) return;
  if (ending_) return end();
  if (had_any && events_.all_sent) events_.all_sent();
}

Channel::Wrote Channel::write_lines() {
  for (;;) {
    if (outgoing_.empty()) {
      std::string notices = events_.notices ? events_.notices() : "";
      if (notices.empty()) return Wrote::all;
      outgoing_bytes_ += notices.size();
      outgoing_.push_back({std::move(notices), {}});
    }
    Outgoing& next = outgoing_.front();
    std::vector<int> fds;
    for (const UniqueFd& fd : next.fds) fds.push_back(fd.get());
    const auto sent = send_with_fds(socket_.native_handle(), next.bytes, fds);
    if (!sent) return judge(sent.error().code);
    outgoing_fds_ -= next.fds.size();
    next.fds.clear();  // they went with the first byte
    next.bytes.erase(0, *sent);
    outgoing_bytes_ -= *sent;
    if (next.bytes.empty()) outgoing_.pop_front();
  }
}

/// As many as the socket has room for, by one call if it has.
Channel::Wrote Channel::write_messages(bool only_begun) {
  for (;;) {
    const auto next = messages_.next();
    std::array<iovec, next.size()> parts;
    std::size_t count = 0;
    for (const std::string_view part : next) {
      if (!part.empty()) parts[count++] = {const_cast<char*>(part.data()), part.size()};
      if (only_begun) break;
    }
    if (count == 0) return Wrote::all;
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    ssize_t sent = 0;
    do {
      sent = ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) return judge(errno_error("sendmsg").code);
    messages_.sent(static_cast<std::size_t>(sent));
  }
}

Channel::Wrote Channel::judge(const std::error_code& error) {
  if (error == std::errc::resource_unavailable_try_again) {
    wait_writable();
    return Wrote::wait;
  }
  if (passes(error)) {
    write_later();
    return Wrote::wait;
  }
  return Wrote::gone;
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
