#pragma once

#include "common/clock.h"
#include "common/error.h"

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace clusterd::detail {

/// What this process has to say to its master: lines of the library, which go first, and messages
/// of the program, of which a bounded amount waits. Any thread may call anything.
class Outbox {
 public:
  explicit Outbox(int channel) : channel_(channel) {}

  enum class Posted : std::uint8_t { queued, full, gone };
  /// A message, with its newline. It is sent by the next flush().
  [[nodiscard]] Posted post(std::string_view line);

  /// A line of the library. It is on its way when this returns; the master always reads.
  [[nodiscard]] Result<void> say(std::string_view line);

  /// The same, but does not wait until it is on its way: flush() sends what the socket has no room
  /// for.
  void urge(std::string_view line);

  /// The same, but nothing is sent before the next flush().
  void put(std::string_view line);

  struct Flushed {
    bool waits = false;     ///< the socket is full: call again when it is writable
    bool has_room = false;  ///< a post() found the queue full, and half of it is free again
  };
  [[nodiscard]] Flushed flush();
  /// Sends what waits, for as long as `most`.
  void flush_for(Duration most);

 private:
  /// After such lines and before messages. Gives how many bytes have to be sent until the line is.
  std::size_t put_first(std::string_view line);
  /// False if the socket is full.
  bool write();

  const int channel_;
  std::mutex mutex_;
  std::string queue_;      ///< whole lines, but for the first of which a part may be sent
  std::size_t sent_ = 0;   ///< of the queue
  std::size_t first_ = 0;  ///< so far lines of the library go, which are before all messages
  bool was_full_ = false;
  bool gone_ = false;
};

}  // namespace clusterd::detail
