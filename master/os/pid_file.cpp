#include "master/os/pid_file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace clusterd::os {
namespace {

/// " (pid 4711)", for words alone: the number is only what is written there.
std::string holder(int fd) {
  std::array<char, 16> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  std::string digits(text.data(), n < 0 ? 0 : static_cast<std::size_t>(n));
  digits.resize(static_cast<std::size_t>(
      std::find_if_not(digits.begin(), digits.end(),
                       [](unsigned char c) { return std::isdigit(c) != 0; }) -
      digits.begin()));
  return digits.empty() ? "" : " (pid " + digits + ")";
}

Result<UniqueFd> open_plain(const std::string& path) {
  // Not to wait for the reader of a pipe that somebody has put there.
  constexpr int kFlags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  UniqueFd fd(::open(path.c_str(), kFlags, 0644));
  if (!fd && errno == ELOOP) return make_error("the pidfile " + path + " is a symbolic link");
  if (!fd) return errno_error("open the pidfile " + path);
  struct stat status{};
  if (::fstat(fd.get(), &status) < 0) return errno_error("look at the pidfile " + path);
  if (!S_ISREG(status.st_mode)) return make_error("the pidfile " + path + " is no plain file");
  // Another name of it is a file of somebody else's, which would be overwritten.
  if (status.st_nlink > 1) return make_error("the pidfile " + path + " has another name as well");
  return fd;
}

}  // namespace

Result<PidFile> PidFile::open(const std::string& path) {
  for (;;) {
    auto fd = open_plain(path);
    if (!fd) return fd.error();
    PidFile file(path, std::move(*fd));
    if (::flock(file.fd_.get(), LOCK_EX | LOCK_NB) < 0) {
      const int error = errno;
      const std::string who = holder(file.fd_.get());
      file.fd_.reset();  // not ours to remove
      errno = error;
      if (error != EWOULDBLOCK) return errno_error("lock the pidfile " + path);
      return Error{std::make_error_code(std::errc::address_in_use),
                   "another master has the pidfile " + path + who};
    }
    // Who had it before may have removed it between the two calls.
    if (!file.is_at_path()) {
      file.fd_.reset();
      continue;
    }
    file.write();
    return file;
  }
}

PidFile& PidFile::operator=(PidFile&& other) noexcept {
  if (this == &other) return *this;
  remove();
  path_ = std::move(other.path_);
  fd_ = std::move(other.fd_);
  written_ = std::move(other.written_);
  return *this;
}

PidFile::~PidFile() { remove(); }

/// Under the lock, so that it is not another's that comes now.
void PidFile::remove() {
  if (fd_ && is_at_path()) ::unlink(path_.c_str());
}

bool PidFile::is_at_path() const {
  struct stat ours{};
  struct stat there{};
  return ::fstat(fd_.get(), &ours) == 0 && ::lstat(path_.c_str(), &there) == 0 &&
         ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

void PidFile::write() {
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd_.get(), 0) < 0 ||
      ::pwrite(fd_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    written_ = errno_error("write the pidfile " + path_);
  }
}

}  // namespace clusterd::os
