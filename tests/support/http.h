#pragma once

#include "common/unique_fd.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace clusterd::test {

/// What became of one request on a connection of its own.
struct Reply {
  enum class Kind : std::uint8_t { ok, refused, reset, eof, timeout, other };
  Kind kind = Kind::other;
  std::string body;
  std::chrono::steady_clock::time_point at;  ///< when the end was seen
  bool closes = false;                       ///< it said "Connection: close"

  [[nodiscard]] bool ok() const { return kind == Kind::ok; }
};

/// A client's connection, blocking with deadlines.
class Client {
 public:
  /// Connects; see refused().
  explicit Client(std::uint16_t port);

  [[nodiscard]] bool refused() const { return !fd_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Sends a GET; with `close`, "Connection: close".
  void ask(bool close = true, const std::string& path = "/");
  /// Reads until the end of the connection.
  [[nodiscard]] Reply read_to_end(std::chrono::milliseconds deadline);
  /// Reads one answer with a Content-Length and leaves the connection open.
  [[nodiscard]] Reply read_one(std::chrono::milliseconds deadline);
  void close() { fd_.reset(); }

 private:
  UniqueFd fd_;
};

/// One connection, one request, one answer.
[[nodiscard]] Reply get(std::uint16_t port,
                        std::chrono::milliseconds deadline = std::chrono::seconds(10),
                        const std::string& path = "/");

/// The number in "handled by worker, pid is N".
[[nodiscard]] long pid_in(const std::string& body);

}  // namespace clusterd::test
