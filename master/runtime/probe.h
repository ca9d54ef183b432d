#pragma once

#include "common/unique_fd.h"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>

namespace clusterd::runtime {

/// Whether a listener is served, as a client sees it: tries until it is, one connection at a time,
/// each with a deadline. Who answers is any process that has the socket.
class Probe {
 public:
  struct Target {
    boost::asio::generic::stream_protocol::endpoint at;
    UniqueFd queue;    ///< a copy of the listening socket, to see that a connection was accepted
    std::string path;  ///< HTTP: what to ask for; empty: it is enough to be accepted
    std::string host;  ///< HTTP: of whom
  };
  /// The listening socket's own address, or, of all addresses, that of this machine alone. Nothing
  /// if it has none.
  [[nodiscard]] static Target target(int listener);

  /// `passed` is called once, unless it goes before; until then `failed` with why an attempt was in
  /// vain, when that is not the same as before.
  using Failed = std::function<void(const std::string& why)>;
  Probe(boost::asio::io_context& io, Target target, std::function<void()> passed, Failed failed);
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

 private:
  class Attempts;
  std::shared_ptr<Attempts> attempts_;
};

/// The code of a status line such as "HTTP/1.1 200 OK"; 0 if it is none.
[[nodiscard]] int http_status(const std::string& line);

}  // namespace clusterd::runtime
