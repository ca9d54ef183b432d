#pragma once

#include "common/error.h"
#include "common/line_reader.h"
#include "common/protocol.h"
#include "common/unique_fd.h"

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

namespace clusterd {

/// The child's end of its channel to the master: lines out, lines and descriptors in.
class ChannelClient {
 public:
  /// The channel that the environment names, or nothing if there is no master. It is taken out of
  /// the environment and made close-on-exec, so that a grandchild neither uses nor holds it.
  [[nodiscard]] static std::optional<ChannelClient> from_environment();

  explicit ChannelClient(UniqueFd fd) : fd_(std::move(fd)) {}

  /// Says hello, and whether the turns of this child's loop can be watched, and whether it will
  /// tell how many messages it has heard, and waits for the welcome. From then on the death of the
  /// master is seen as the end of the channel, and the TERM that was to be sent for it is taken
  /// off.
  [[nodiscard]] Result<protocol::Welcome> hello(bool heartbeat = false, bool tells_heard = false);

  [[nodiscard]] int fd() const { return fd_.get(); }

  /// Sends one line, waiting for room if need be.
  [[nodiscard]] Result<void> send(const std::string& line);

  /// Reads what is there, without waiting. False when the channel has ended.
  [[nodiscard]] Result<bool> receive();
  /// The next message that receive() brought.
  [[nodiscard]] Result<std::optional<protocol::FromMaster>> next();
  /// Waits for the next message, as the start of a program may.
  [[nodiscard]] Result<protocol::FromMaster> wait();

  /// The descriptors that came with the message that next() or wait() just gave.
  [[nodiscard]] Result<std::vector<UniqueFd>> take_fds(std::int64_t count);

 private:
  UniqueFd fd_;
  LineReader lines_{protocol::kLongestLine};
  std::deque<UniqueFd> fds_;
};

}  // namespace clusterd
