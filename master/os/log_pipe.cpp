#include "master/os/log_pipe.h"

#include "master/os/become.h"

#include <climits>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace clusterd::os {
namespace {

/// What may wait for the agent. The kernel's own is 64 KiB.
constexpr int kPipeBytes = 1024 * 1024;

Result<void> append(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(file, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno_error("write the end of the log");
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

}  // namespace

Result<LogPipe> open_log_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return errno_error("make a pipe for the log");
  LogPipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  ::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);  // refused beyond what one user's pipes may hold
  return pipe;
}

Result<std::string> without_links(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = path.substr(0, slash == 0 ? 1 : slash);
  std::array<char, PATH_MAX> real{};
  if (::realpath(folder.c_str(), real.data()) == nullptr) {
    return errno_error("find the folder " + folder);
  }
  const std::string found = real.data();
  return found + (found == "/" ? "" : "/") + path.substr(slash + 1);
}

Result<void> append_rest(const std::string& path, int pipe, std::string_view rest,
                         const std::optional<Identity>& identity) {
  std::string text;
  std::array<char, 64 * 1024> some{};
  for (ssize_t got = 0; (got = ::read(pipe, some.data(), some.size())) > 0;) {
    text.append(some.data(), static_cast<std::size_t>(got));
  }
  text += rest;
  if (text.empty()) return {};
  if (identity && become(*identity)) return errno_error("become who writes the log");
  open_how how{};
  how.flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  how.mode = 0640;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const UniqueFd file(
      static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
  if (!file) return errno_error("open the log " + path);
  struct stat found{};
  if (::fstat(file.get(), &found) != 0 || !S_ISREG(found.st_mode)) {
    return make_error("open the log " + path + ": no file");
  }
  return append(file.get(), text);
}

}  // namespace clusterd::os
