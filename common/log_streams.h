#pragma once

#include "common/nonblocking_writer.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace clusterd {

/// Where a log goes: our stdout and stderr, or the pipe that is in their place. Never blocking.
class LogStreams {
 public:
  explicit LogStreams(NonblockingWriter::Words said_of_dropped);

  /// From now on all goes there.
  void write_into(int pipe);

  /// A line of our own.
  void write(std::string_view line);
  /// Lines of others, which leave a part of the room to ours.
  void pass(bool to_stdout, std::string_view lines);
  /// On stderr, whatever is in its place.
  void aside(std::string_view line);

  /// Sends on what waits. True if nothing is left.
  bool flush();
  /// Gives what waits a last chance, for as long as somebody reads it, and a second at most.
  void finish();

  [[nodiscard]] std::uint64_t dropped() const;
  /// Bytes that went into the pipe, and what waits for room there.
  [[nodiscard]] std::uint64_t written() const { return pipe_ ? pipe_->written() : 0; }
  [[nodiscard]] std::string take_rest() { return pipe_ ? pipe_->take_rest() : ""; }

  /// Called when something has to wait, from within what had it written.
  std::function<void()> on_waiting;

 private:
  [[nodiscard]] bool waiting() const;
  [[nodiscard]] NonblockingWriter& ours() { return pipe_ ? *pipe_ : error_; }
  void tell_if_waiting(const std::function<void()>& write);

  NonblockingWriter::Words said_of_dropped_;
  NonblockingWriter error_;
  std::optional<NonblockingWriter> out_;
  std::optional<NonblockingWriter> pipe_;
};

}  // namespace clusterd
