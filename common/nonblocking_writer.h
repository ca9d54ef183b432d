#pragma once

#include "common/unique_fd.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace clusterd {

/// Writes whole lines to a descriptor without ever blocking on a slow pipe or terminal: what does
/// not go out at once waits in a bounded buffer, and what does not fit there is dropped in whole
/// lines, counted, and reported in the stream when there is room again. So is what an error
/// swallows, such as a full disk or a reader that is gone.
class NonblockingWriter {
 public:
  /// Writes where `fd` writes. The flag O_NONBLOCK belongs to the open file, which is shared with
  /// the shell and everybody else on that terminal or pipe, so that is opened anew. A regular file
  /// is not: its offset is shared too.
  /// `reserve` is the part of `most_waiting` that others' lines leave free for our own.
  explicit NonblockingWriter(int fd, std::size_t most_waiting = 256 * 1024,
                             std::size_t reserve = 0);

  /// One or more lines of our own, each with its newline.
  void write(std::string_view lines);

  /// Lines of others. Once some were dropped, all are until half of the buffer is free, so that
  /// what was kept is in one piece, and the report stands where the gap is.
  void pass(std::string_view lines);

  /// Sends on what waits. True if nothing is left.
  bool flush();

  /// How it is said that so many lines are missing, as a line with its newline.
  using Words = std::function<std::string(std::uint64_t count)>;
  void say_dropped_as(Words words) { words_ = std::move(words); }

  /// What waits, to be written by somebody else; nothing waits then.
  [[nodiscard]] std::string take_rest();

  /// There is something left to say.
  [[nodiscard]] bool waiting() const { return waiting_bytes() > 0 || dropped_unsaid_ > 0; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  [[nodiscard]] int fd() const { return fd_; }
  /// Bytes that went out.
  [[nodiscard]] std::uint64_t written() const { return written_; }

 private:
  [[nodiscard]] std::size_t waiting_bytes() const { return buffer_.size() - sent_; }
  void put(std::string_view lines, std::size_t most);
  void keep(std::string_view lines, std::size_t most, bool begun);
  void report_dropped();
  /// Bytes written, possibly 0; where that cannot be for now, lost() gets the rest.
  std::size_t try_write(std::string_view bytes);
  void lost(std::string_view bytes, bool begun);
  void report_lost();
  [[nodiscard]] bool tell(std::uint64_t count, const char* begin);

  UniqueFd own_;
  int fd_;
  bool is_socket_ = false;
  bool is_file_ = false;
  std::size_t most_waiting_;
  std::size_t reserve_;
  std::string buffer_;
  std::size_t sent_ = 0;  ///< of the buffer
  std::uint64_t dropped_ = 0;
  std::uint64_t dropped_unsaid_ = 0;
  std::uint64_t lost_unsaid_ = 0;  ///< to a full disk, say: told by the next line that goes out
  bool cut_ = false;               ///< the last that was written is no whole line
  std::uint64_t written_ = 0;
  Words words_;
};

}  // namespace clusterd
