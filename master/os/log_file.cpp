#include "master/os/log_file.h"

#include "common/unique_fd.h"

#include <climits>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace clusterd::os {
namespace {

/// Without waiting for the reader of a pipe, and without a terminal that becomes ours.
Result<UniqueFd> open_plainly(const std::string& path) {
  open_how how{};
  how.flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  how.mode = 0640;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
  if (!fd && errno == ELOOP) return make_error("open the log " + path + ": a symbolic link");
  if (!fd) return errno_error("open the log " + path);
  return fd;
}

}  // namespace

Result<LogFile> LogFile::open(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = path.substr(0, slash == 0 ? 1 : slash);
  char real[PATH_MAX];
  if (::realpath(folder.c_str(), real) == nullptr) return errno_error("find the folder " + folder);
  LogFile file(std::string(real) + (std::string(real) == "/" ? "" : "/") + path.substr(slash + 1));
  if (auto opened = file.reopen(); !opened) return opened.error();
  return file;
}

Result<void> LogFile::reopen() const {
  const auto fd = open_plainly(path_);
  if (!fd) return fd.error();
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(fd->get(), stream) < 0) return errno_error("write to the log " + path_);
  }
  return {};
}

}  // namespace clusterd::os
