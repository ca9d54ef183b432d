#pragma once

#include "common/line_reader.h"
#include "common/unique_fd.h"
#include "master/core/message_queue.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clusterd::runtime {

/// A stream of lines over a Unix socket, seen from the master: to a child (its channel), or to a
/// control client. Both directions are bounded: a line that is too long, and a peer that does not
/// read what the master has to say, end it. Descriptors can be sent; any that the peer sends are
/// closed by the kernel unseen, unless they are asked for.
///
/// There are two queues: what the master says, which goes first, and messages of programs, of
/// which a bounded amount waits.
class Channel : public std::enable_shared_from_this<Channel> {
 public:
  struct Events {
    std::function<void(std::string_view)> line;  ///< without its newline; may close the channel
    std::function<void()> ended;                 ///< the peer closed its end
    std::function<void(std::string)> broken;     ///< too long a line, too much unread
    std::function<void()> all_sent = {};         ///< nothing waits any more; may be empty
    std::function<void()> low = {};              ///< as asked for by tell_when_low(); may be empty
    /// Gives lines of ours that go next, when no others wait: as asked for by look_for_notices().
    std::function<std::string()> notices = {};
  };

  /// Handlers keep the channel alive until close(); after that nothing is called any more.
  [[nodiscard]] static std::shared_ptr<Channel> open(boost::asio::io_context& io, UniqueFd fd,
                                                     std::size_t longest_line, Events events);

  /// Queues a line with the descriptors that belong on its first byte.
  void send(std::string line, std::vector<UniqueFd> fds = {});

  /// Sends a line with one descriptor, which stays the caller's, if it can go at once. False if it
  /// did not: all_sent tells when to try again.
  [[nodiscard]] bool send_now(std::string_view line, int fd);

  /// Queues a program's message, a line without its newline. It is sent at the end of this turn of
  /// the loop, with others. False if more than `most` would wait, or the peer is gone: it was not
  /// queued.
  [[nodiscard]] bool post(std::string_view line, core::MessageQueue::Ticket ticket,
                          std::size_t most);
  /// `notices` has something to give. It is asked at the end of this turn of the loop, or when the
  /// peer has taken the lines that wait.
  void look_for_notices() { write_soon(); }
  /// There is nobody to queue anything for.
  [[nodiscard]] bool is_gone() const { return gone_ || ending_ || !socket_.is_open(); }
  /// Those that wait, and those that nobody can be sure of any more when the peer is gone.
  [[nodiscard]] core::MessageQueue& messages() { return messages_; }
  /// `low` is to be called, once, when no more than so much of them waits.
  void tell_when_low(std::size_t bytes) { low_ = bytes; }

  /// From now on one descriptor that the peer sends is kept until it is taken; others are closed.
  void keep_descriptor() { keeps_descriptor_ = true; }
  /// The one that came by the end of the line that it came with, or none.
  [[nodiscard]] UniqueFd take_descriptor() { return std::move(descriptor_); }

  /// The peer has read all that it was sent. Also if it is closed, since nothing waits then.
  [[nodiscard]] bool is_read();

  /// The peer has ended: what it said last is read now, 1 MiB of it at most.
  void read_rest();

  /// Closes our direction once all that was queued is sent.
  void end();

  void close();

 private:
  struct Outgoing {
    std::string bytes;
    std::vector<UniqueFd> fds;
  };

  Channel(boost::asio::io_context& io, UniqueFd fd, std::size_t longest_line, Events events);

  /// How a write ended: all that it was to send is sent, or it has to wait, or the peer is gone.
  enum class Wrote : std::uint8_t { all, wait, gone };

  void wait_readable();
  void wait_writable();
  void write_soon();
  void read();
  [[nodiscard]] ssize_t receive(char* buffer, std::size_t size);
  [[nodiscard]] bool take(std::string_view bytes);
  void write();
  [[nodiscard]] Wrote write_lines();
  [[nodiscard]] Wrote write_messages(bool only_begun);
  [[nodiscard]] Wrote judge(const std::error_code& error);
  void write_later();
  [[nodiscard]] std::string too_long() const;
  void fail(std::string how);

  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer retry_;
  LineReader lines_;
  bool keeps_descriptor_ = false;
  UniqueFd descriptor_;
  Events events_;
  std::deque<Outgoing> outgoing_;
  std::size_t outgoing_bytes_ = 0;
  std::size_t outgoing_fds_ = 0;
  core::MessageQueue messages_;
  std::optional<std::size_t> low_;
  bool gone_ = false;  ///< what is queued is of no use
  bool writes_soon_ = false;
  bool waits_writable_ = false;
  bool ending_ = false;
  bool had_no_room_ = false;  ///< for a line that was to go at once
};

}  // namespace clusterd::runtime
