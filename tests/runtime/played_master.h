#pragma once

#include "common/environment.h"
#include "common/fd_passing.h"
#include "common/protocol.h"
#include "common/unique_fd.h"
#include "master/runtime/offer_lane.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <span>
#include <string>
#include <sys/socket.h>
#include <utility>

namespace clusterd::runtime {

/// The master's end of a child's channel, whose other end is the library's in this process. What
/// that waits for while it starts is said before.
class PlayedMaster {
 public:
  PlayedMaster() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    channel.reset(ends[0]);
    const UniqueFd theirs(ends[1]);
    const int number = ::fcntl(theirs.get(), F_DUPFD_CLOEXEC, 10);
    ::setenv(kEnvChannelFd, std::to_string(number).c_str(), 1);
  }

  void say(const std::string& line, std::span<const int> fds = {}) const {
    const auto sent = send_with_fds(channel.get(), line, fds);
    REQUIRE(sent.has_value());
    REQUIRE(*sent == line.size());
  }

  /// Welcomes an agent, which has no descriptors.
  void welcome_agent() const { say(encode(protocol::Welcome{protocol::kVersion, 0, 60'000, 0})); }
  /// Welcomes a worker: gives the master's end of its lane.
  [[nodiscard]] OfferLane welcome_worker(std::int64_t drain_timeout_ms = 60'000) const {
    auto lane = OfferLane::create(16);
    REQUIRE(lane.has_value());
    const auto ends = lane->take_worker_ends();
    const std::array fds{ends.connections.get(), ends.page.get(), ends.wake.get()};
    say(encode(protocol::Welcome{protocol::kVersion, 3, drain_timeout_ms, 0}), fds);
    return std::move(*lane);
  }

  UniqueFd channel;
};

}  // namespace clusterd::runtime
