#pragma once

#include "common/line_reader.h"
#include "common/unique_fd.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace clusterd::runtime {

/// A stream of lines over a Unix socket, seen from the master: to a child (its channel), or to a
/// control client. Both directions are bounded: a line that is too long, and a peer that does not
/// read what it is sent, end it. Descriptors can be sent; any that the peer sends are closed by the
/// kernel unseen, since they are never asked for.
class Channel : public std::enable_shared_from_this<Channel> {
 public:
  struct Events {
    std::function<void(std::string_view)> line;  ///< without its newline; may close the channel
    std::function<void()> ended;                 ///< the peer closed its end
    std::function<void(std::string)> broken;     ///< too long a line, too much unread
  };

  /// Handlers keep the channel alive until close(); after that nothing is called any more.
  [[nodiscard]] static std::shared_ptr<Channel> open(boost::asio::io_context& io, UniqueFd fd,
                                                     std::size_t longest_line, Events events);

  /// Queues a line with the descriptors that belong on its first byte.
  void send(std::string line, std::vector<UniqueFd> fds = {});

  /// Closes our direction once all that was queued is sent.
  void end();

  void close();

 private:
  struct Outgoing {
    std::string bytes;
    std::vector<UniqueFd> fds;
  };

  Channel(boost::asio::io_context& io, UniqueFd fd, std::size_t longest_line, Events events);

  void wait_readable();
  void wait_writable();
  void read();
  void write();
  void write_later();
  void fail(std::string how);

  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer retry_;
  LineReader lines_;
  Events events_;
  std::deque<Outgoing> outgoing_;
  std::size_t outgoing_bytes_ = 0;
  bool waits_writable_ = false;
  bool ending_ = false;
};

}  // namespace clusterd::runtime
