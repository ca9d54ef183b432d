#include "master/os/unix_listener.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::os {
namespace {

Result<sockaddr_un> to_sockaddr(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return make_error("the path of a Unix socket has 1 to 107 bytes: " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

/// Holds a folder's lock, so that of two masters that start at once one sees the other's socket.
/// Nobody holds it longer than it takes to bind, but who means harm.
Result<UniqueFd> lock_folder(const std::string& folder, UnixListenerSpec::Patience patience) {
  const int most_tries = patience == UnixListenerSpec::Patience::second ? 50 : 0;
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return errno_error("open " + folder);
  for (int tries = 0; ::flock(fd.get(), LOCK_EX | LOCK_NB) < 0; ++tries) {
    if (errno != EWOULDBLOCK || tries == most_tries) return errno_error("lock " + folder);
    const timespec pause{0, 20'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return fd;
}

/// Makes room at `path`, or says who is there.
Result<void> clear_the_way(const UnixListenerSpec& spec) {
  const std::string& path = spec.path;
  const std::string rival = spec.rival;
  struct stat status{};
  if (::lstat(path.c_str(), &status) < 0) {
    if (errno == ENOENT) return {};
    return errno_error("look at " + path);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return make_error(path + " exists and is not a socket; move it away");
  }
  auto living = connect_unix(path, SOCK_NONBLOCK);
  if (living) {
    const auto peer = peer_of(living->get());
    return Error{std::make_error_code(std::errc::address_in_use),
                 rival + " at " + path + (peer ? " (pid " + std::to_string(peer->pid) + ")" : "")};
  }
  if (living.error().code == std::errc::resource_unavailable_try_again) {
    return Error{std::make_error_code(std::errc::address_in_use),
                 rival + " at " + path + ", and does not answer"};
  }
  if (living.error().code != std::errc::connection_refused) return living.error();
  // A master that was killed left it as it was to be.
  if (status.st_uid != ::geteuid() && spec.owner != status.st_uid)
    return make_error(path + " is another user's dead socket");
  if (::unlink(path.c_str()) < 0) return errno_error("remove the dead socket " + path);
  return {};
}

/// bind(2) gives the file the mode that umask leaves: never, not for a moment, more than asked for.
int bind_with_mode(int fd, const sockaddr_un& address, mode_t mode) {
  const mode_t before = ::umask(~mode & 0777);
  const int bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(before);
  errno = error;
  return bound;
}

/// By descriptor, since whoever may write to the folder could put a link to something else in its
/// place between a look and a change.
Result<void> give_to_owner(const UnixListenerSpec& spec, int file) {
  if (!spec.owner && !spec.group) return {};
  const uid_t owner = spec.owner.value_or(static_cast<uid_t>(-1));
  const gid_t group = spec.group.value_or(static_cast<gid_t>(-1));
  if (::fchownat(file, "", owner, group, AT_EMPTY_PATH) == 0) return {};
  return errno_error("change the owner of " + spec.path);
}

/// What is added to the path of a socket that nobody is to find any more.
constexpr const char* kHidden = ".closing";

}  // namespace

Result<UnixListener> UnixListener::open(const UnixListenerSpec& spec) {
  const auto address = to_sockaddr(spec.path);
  if (!address) return address.error();
  const auto lock = lock_folder(folder_of(spec.path), spec.patience);
  if (!lock) return lock.error();
  if (auto cleared = clear_the_way(spec); !cleared) return cleared.error();

  UnixListener listener;
  listener.fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener.fd_) return errno_error("make a Unix socket");
  if (bind_with_mode(listener.fd(), *address, spec.mode) < 0) {
    return errno_error("bind " + spec.path);
  }
  struct stat status{};
  const UniqueFd file(::open(spec.path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!file || ::fstat(file.get(), &status) < 0) return errno_error("look at " + spec.path);
  if (!S_ISSOCK(status.st_mode)) return make_error(spec.path + " was replaced by something else");
  listener.path_ = spec.path;
  listener.file_ = std::make_shared<File>(spec.path, status.st_dev, status.st_ino);
  if (auto given = give_to_owner(spec, file.get()); !given) return given.error();
  if (::listen(listener.fd(), spec.backlog) < 0) return errno_error("listen on " + spec.path);
  return listener;
}

Result<UnixListener> UnixListener::share(const UnixListenerSpec& spec) const {
  UnixListener other;
  other.fd_.reset(::fcntl(fd(), F_DUPFD_CLOEXEC, 0));
  if (!other.fd_) return errno_error("copy the descriptor of " + path_);
  other.path_ = path_;
  other.file_ = file_;
  other.show();
  const auto file = file_->open();
  if (!file) return file.error();
  // chmod(2) follows this link to what is open, wherever that is now.
  const std::string same = "/proc/self/fd/" + std::to_string(file->get());
  if (::chmod(same.c_str(), spec.mode) < 0) return errno_error("change the mode of " + path_);
  if (auto given = give_to_owner(spec, file->get()); !given) return given.error();
  if (::listen(fd(), spec.backlog) < 0) return errno_error("listen on " + path_);
  return other;
}

UnixListener::File::~File() {
  if (is_ours()) ::unlink(path_.c_str());
}

bool UnixListener::File::is_ours() const {
  struct stat status{};
  return ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ &&
         status.st_ino == inode_;
}

Result<UniqueFd> UnixListener::File::open() const {
  UniqueFd file(::open(path_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return errno_error("look at " + path_);
  struct stat status{};
  if (::fstat(file.get(), &status) < 0) return errno_error("look at " + path_);
  if (status.st_dev == device_ && status.st_ino == inode_) return file;
  return make_error(path_ + " was replaced by something else");
}

void UnixListener::File::move_to(const std::string& path) {
  if (path == path_ || !is_ours()) return;
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) {
    path_ = path;
  }
}

void UnixListener::hide() {
  if (file_) file_->move_to(path_ + kHidden);
}

void UnixListener::show() {
  if (file_) file_->move_to(path_);
}

void UnixListener::close() {
  fd_.reset();
  file_.reset();
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> check_unix_path(const std::string& path) {
  if (const auto address = to_sockaddr(path); !address) return address.error();
  return {};
}

Result<UniqueFd> connect_unix(const std::string& path, int flags) {
  const auto address = to_sockaddr(path);
  if (!address) return address.error();
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!fd) return errno_error("make a socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(sockaddr_un)) < 0) {
    return errno_error("connect to " + path);
  }
  return fd;
}

std::optional<PeerProcess> peer_of(int socket) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) return std::nullopt;
  return PeerProcess{credentials.pid, credentials.uid, credentials.gid};
}

bool peer_is_in(int socket, gid_t group) {
  const auto peer = peer_of(socket);
  if (!peer) return false;
  if (peer->gid == group) return true;
  std::vector<gid_t> groups(64);
  for (int tries = 0; tries < 2; ++tries) {
    auto bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const bool all = ::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) == 0;
    if (!all && errno != ERANGE) return false;
    groups.resize(bytes / sizeof(gid_t));
    if (all) return std::find(groups.begin(), groups.end(), group) != groups.end();
  }
  return false;
}

}  // namespace clusterd::os
