#pragma once

#include "common/error.h"
#include "common/unique_fd.h"

#include <optional>
#include <string>
#include <sys/types.h>

namespace clusterd::os {

struct UnixListenerSpec {
  std::string path;
  int backlog = 16;
  mode_t mode = 0600;
  std::optional<uid_t> owner{};
  std::optional<gid_t> group{};
  const char* rival = "another process is listening";  ///< for the error, when somebody is there
};

/// A listening Unix stream socket at a path. It has its mode from birth. A dead socket of ours at
/// the path is taken over, a live one is refused with its owner's pid, and anything else is left
/// alone. Unlinked at the end if it is still the one that we made.
class UnixListener {
 public:
  [[nodiscard]] static Result<UnixListener> open(const UnixListenerSpec& spec);

  UnixListener(UnixListener&& other) noexcept;
  UnixListener& operator=(UnixListener&&) = delete;
  ~UnixListener() { close(); }

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool is_open() const { return static_cast<bool>(fd_); }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// Takes the path away, if it is still ours: nobody can connect any more.
  void unlink();
  void close();

 private:
  UnixListener() = default;

  UniqueFd fd_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;  ///< 0: nothing of ours is at the path
};

/// "/run/app" for "/run/app/web.sock"; "." for a bare name.
[[nodiscard]] std::string folder_of(const std::string& path);

/// Fits it into the kernel's address? The error says the bounds.
[[nodiscard]] Result<void> check_unix_path(const std::string& path);

/// Connects to the listener at `path`; `flags` may be SOCK_NONBLOCK.
[[nodiscard]] Result<UniqueFd> connect_unix(const std::string& path, int flags);

struct PeerProcess {
  pid_t pid = 0;
  uid_t uid = 0;
};
/// Who is at the other end, as the kernel recorded it at connect or listen.
[[nodiscard]] std::optional<PeerProcess> peer_of(int socket);

}  // namespace clusterd::os
