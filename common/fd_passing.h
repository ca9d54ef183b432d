#pragma once

#include "common/error.h"
#include "common/unique_fd.h"

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace clusterd {

/// The most descriptors that Linux carries in one message (SCM_MAX_FD).
inline constexpr std::size_t kMaxPassedFds = 253;

/// sendmsg(2) of `bytes` with `fds` on the first byte, without blocking and without SIGPIPE. Gives
/// the number of bytes sent; the descriptors went with them if it is not 0.
[[nodiscard]] Result<std::size_t> send_with_fds(int socket, std::string_view bytes,
                                                std::span<const int> fds);

struct Received {
  std::size_t bytes = 0;      ///< 0 = the other end is closed
  std::vector<UniqueFd> fds;  ///< close-on-exec; those that this process had room for
  bool fds_lost = false;      ///< MSG_CTRUNC: there were more descriptors than room
};

/// recvmsg(2) without blocking. Every descriptor that arrives is owned by the result.
[[nodiscard]] Result<Received> receive_with_fds(int socket, std::span<std::byte> buffer,
                                                std::size_t most_fds);

}  // namespace clusterd
