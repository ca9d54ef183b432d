#include "master/os/control_socket.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace clusterd::os {
namespace {

constexpr int kBacklog = 16;

Result<sockaddr_un> to_sockaddr(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return make_error("the path of a control socket has 1 to 107 bytes: " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Makes the missing folders on the way to `folder`, for us alone.
Result<void> make_folders(const std::string& folder) {
  for (std::size_t slash = folder.find('/', 1);; slash = folder.find('/', slash + 1)) {
    const std::string part = folder.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) < 0 && errno != EEXIST) {
      return errno_error("make the folder " + part);
    }
    if (slash == std::string::npos) return {};
  }
}

/// Whoever can write to the folder can put a socket of his own in the place of ours.
Result<void> check_folder(const std::string& folder) {
  struct stat status{};
  if (::stat(folder.c_str(), &status) < 0) return errno_error("look at " + folder);
  if (!S_ISDIR(status.st_mode)) return make_error(folder + " is not a folder");
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return make_error(folder + " belongs to another user");
  }
  const bool others_write = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (others_write && (status.st_mode & S_ISVTX) == 0) {
    return make_error(folder + " is writable by others");
  }
  return {};
}

/// Holds a folder's lock, so that of two masters that start at once one sees the other's socket.
/// Tries for a second: nobody holds it longer than it takes to bind.
Result<UniqueFd> lock_folder(const std::string& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return errno_error("open " + folder);
  for (int tries = 0; ::flock(fd.get(), LOCK_EX | LOCK_NB) < 0; ++tries) {
    if (errno != EWOULDBLOCK || tries == 50) return errno_error("lock " + folder);
    const timespec pause{0, 20'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return fd;
}

Result<UniqueFd> connect_to(const std::string& path, int flags) {
  const auto address = to_sockaddr(path);
  if (!address) return address.error();
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!fd) return errno_error("make a socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(sockaddr_un)) < 0) {
    return errno_error("connect to " + path);
  }
  return fd;
}

/// Makes room at `path`, or says who is there.
Result<void> clear_the_way(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) < 0) {
    if (errno == ENOENT) return {};
    return errno_error("look at " + path);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return make_error(path + " exists and is not a socket; move it away");
  }
  auto living = connect_to(path, SOCK_NONBLOCK);
  if (living) {
    const auto peer = peer_of(living->get());
    return Error{std::make_error_code(std::errc::address_in_use),
                 "another master is running at " + path +
                     (peer ? " (pid " + std::to_string(peer->pid) + ")" : "")};
  }
  if (living.error().code == std::errc::resource_unavailable_try_again) {
    return Error{std::make_error_code(std::errc::address_in_use),
                 "another master is running at " + path + ", and does not answer"};
  }
  if (living.error().code != std::errc::connection_refused) return living.error();
  if (status.st_uid != ::geteuid()) return make_error(path + " is another user's dead socket");
  if (::unlink(path.c_str()) < 0) return errno_error("remove the dead socket " + path);
  return {};
}

}  // namespace

Result<ControlSocket> ControlSocket::open(const std::string& path) {
  const auto address = to_sockaddr(path);
  if (!address) return address.error();
  const std::string folder = folder_of(path);
  if (auto made = make_folders(folder); !made) return made.error();
  if (auto good = check_folder(folder); !good) return good.error();
  const auto lock = lock_folder(folder);
  if (!lock) return lock.error();
  if (auto cleared = clear_the_way(path); !cleared) return cleared.error();

  ControlSocket control;
  control.fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!control.fd_) return errno_error("make a control socket");
  // bind(2) gives the file the mode that umask leaves: never, not for a moment, more than 0600.
  const mode_t before = ::umask(0177);
  const int bound =
      ::bind(control.fd_.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(sockaddr_un));
  ::umask(before);
  if (bound < 0) return errno_error("bind the control socket " + path);
  struct stat status{};
  if (::lstat(path.c_str(), &status) < 0) return errno_error("look at " + path);
  control.path_ = path;
  control.device_ = status.st_dev;
  control.inode_ = status.st_ino;
  if (::listen(control.fd_.get(), kBacklog) < 0) return errno_error("listen on " + path);
  return control;
}

ControlSocket::ControlSocket(ControlSocket&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::exchange(other.path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

ControlSocket::~ControlSocket() {
  if (path_.empty()) return;
  struct stat status{};
  if (::lstat(path_.c_str(), &status) < 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(path_.c_str());
}

Result<UniqueFd> connect_control(const std::string& path) { return connect_to(path, 0); }

std::optional<PeerProcess> peer_of(int socket) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) return std::nullopt;
  return PeerProcess{credentials.pid, credentials.uid};
}

}  // namespace clusterd::os
