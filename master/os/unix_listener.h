#pragma once

#include "common/error.h"
#include "common/unique_fd.h"

#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>

namespace clusterd::os {

struct UnixListenerSpec {
  std::string path;
  int backlog = 16;
  mode_t mode = 0600;
  std::optional<uid_t> owner{};
  std::optional<gid_t> group{};
  const char* rival = "another process is listening";  ///< for the error, when somebody is there
  /// With somebody who has the folder's lock: a second, for another master that starts, or none.
  enum class Patience : std::uint8_t { second, none };
  Patience patience = Patience::second;
};

/// A listening Unix stream socket at a path. It has its mode from birth. A dead socket of ours at
/// the path is taken over, a live one is refused with its owner's pid, and anything else is left
/// alone. Unlinked at the end if it is still the one that we made.
class UnixListener {
 public:
  [[nodiscard]] static Result<UnixListener> open(const UnixListenerSpec& spec);

  /// Another one on the same socket, with another backlog, mode and owner. The path stays for as
  /// long as one of them is open.
  [[nodiscard]] Result<UnixListener> share(const UnixListenerSpec& spec) const;

  UnixListener(UnixListener&&) noexcept = default;
  UnixListener& operator=(UnixListener&&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool is_open() const { return static_cast<bool>(fd_); }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// Moves the path away, if it is still ours: nobody can connect any more.
  void hide();
  /// Moves it back.
  void show();
  void close();

 private:
  UnixListener() = default;

  /// The file of a socket, unlinked when nobody has the socket open any more.
  class File {
   public:
    File(std::string path, dev_t device, ino_t inode)
        : path_(std::move(path)), device_(device), inode_(inode) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File();
    void move_to(const std::string& path);
    /// As O_PATH does; an error if another file is there now.
    [[nodiscard]] Result<UniqueFd> open() const;

   private:
    [[nodiscard]] bool is_ours() const;

    std::string path_;
    dev_t device_;
    ino_t inode_;
  };

  UniqueFd fd_;
  std::string path_;
  std::shared_ptr<File> file_;
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
  gid_t gid = 0;
};
/// Who is at the other end, as the kernel recorded it at connect or listen.
[[nodiscard]] std::optional<PeerProcess> peer_of(int socket);
/// Whether it was in that group then, by its own or by a supplementary one.
[[nodiscard]] bool peer_is_in(int socket, gid_t group);

}  // namespace clusterd::os
