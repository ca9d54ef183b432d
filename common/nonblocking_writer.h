#pragma once

#include "common/unique_fd.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace clusterd {

/// Writes whole lines to a descriptor without ever blocking on a slow pipe or terminal: what does
/// not go out at once waits in a bounded buffer, and what does not fit there is dropped, counted,
/// and reported in the stream when there is room again.
class NonblockingWriter {
 public:
  /// Writes where `fd` writes. The flag O_NONBLOCK belongs to the open file, which is shared with
  /// the shell and everybody else on that terminal or pipe, so that is opened anew.
  explicit NonblockingWriter(int fd, std::size_t most_waiting = 256 * 1024);

  void write(std::string_view line);

  /// Sends on what waits. True if nothing is left.
  bool flush();

  [[nodiscard]] bool waiting() const { return !buffer_.empty(); }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  /// Bytes written, possibly 0; a reader that is gone swallows everything.
  std::size_t try_write(std::string_view bytes);

  UniqueFd own_;
  int fd_;
  bool is_socket_ = false;
  bool is_file_ = false;
  std::size_t most_waiting_;
  std::string buffer_;
  std::uint64_t dropped_ = 0;
  std::uint64_t dropped_unsaid_ = 0;
};

}  // namespace clusterd
