#pragma once

#include "common/error.h"
#include "common/unique_fd.h"

#include <optional>
#include <string>
#include <sys/types.h>

namespace clusterd::os {

/// The Unix socket on which a master takes verbs: mode 0600 from birth, in a folder of its own,
/// unlinked at the end if it is still the one that we made.
class ControlSocket {
 public:
  /// Makes missing folders (mode 0700), takes over a dead socket of ours, and refuses a live one
  /// with its owner's pid. Anything else at `path` is left alone and is an error.
  [[nodiscard]] static Result<ControlSocket> open(const std::string& path);

  ControlSocket(ControlSocket&& other) noexcept;
  ControlSocket& operator=(ControlSocket&&) = delete;
  ~ControlSocket();

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  ControlSocket() = default;

  UniqueFd fd_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// Connects to the master at `path`.
[[nodiscard]] Result<UniqueFd> connect_control(const std::string& path);

struct PeerProcess {
  pid_t pid = 0;
  uid_t uid = 0;
};
/// Who is at the other end, as the kernel recorded it at connect or listen.
[[nodiscard]] std::optional<PeerProcess> peer_of(int socket);

}  // namespace clusterd::os
