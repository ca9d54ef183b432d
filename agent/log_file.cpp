#include "agent/log_file.h"

#include "agent/rename_new.h"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <optional>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace clusterd::agent {
namespace {

constexpr mode_t kMode = 0640;
constexpr std::int64_t kSecond = 1'000'000'000;

UniqueFd open_without_links(int folder, const std::string& path, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.mode = (flags & O_CREAT) != 0 ? kMode : 0;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how)));
}

std::optional<struct stat> facts(int fd) {
  struct stat file{};
  if (::fstat(fd, &file) != 0) return std::nullopt;
  return file;
}

bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

LogFile::LogFile(std::string path)
    : path_(std::move(path)), name_(path_.substr(path_.rfind('/') + 1)) {}

Result<LogFile> LogFile::open(const std::string& path) {
  LogFile log(path);
  const std::string folder = path.substr(0, path.size() - log.name_.size());
  log.folder_ = open_without_links(AT_FDCWD, folder, O_PATH | O_DIRECTORY);
  if (!log.folder_) return errno_error("open the folder " + folder);
  if (auto opened = log.reopen(); !opened) return opened.error();
  return log;
}

Result<void> LogFile::reopen() {
  // Not waiting for the reader of what may be a pipe.
  UniqueFd file =
      open_without_links(folder_.get(), name_, O_RDWR | O_CREAT | O_NOCTTY | O_NONBLOCK);
  if (!file && errno == ELOOP) return make_error("open the log " + path_ + ": a symbolic link");
  if (!file) return errno_error("open the log " + path_);
  const auto found = facts(file.get());
  if (!found || !S_ISREG(found->st_mode)) {
    return make_error("open the log " + path_ + ": only a file can be rotated");
  }
  file_ = std::move(file);
  return {};
}

Result<std::size_t> LogFile::take(int pipe, std::size_t most) {
  for (;;) {
    // At what is the end now, as O_APPEND would, which splice(2) refuses: somebody may have made
    // the file shorter.
    auto end = static_cast<loff_t>(size());
    const ssize_t moved =
        ::splice(pipe, nullptr, file_.get(), &end, most, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (moved >= 0) return static_cast<std::size_t>(moved);
    if (errno == EAGAIN) return std::size_t{0};
    if (errno != EINTR) return errno_error("write to the log " + path_);
  }
}

std::uint64_t LogFile::size() const {
  const auto now = facts(file_.get());
  return now ? static_cast<std::uint64_t>(now->st_size) : 0;
}

std::time_t LogFile::written_at() const {
  const auto now = facts(file_.get());
  return now ? now->st_mtime : 0;
}

bool LogFile::is_whole() const {
  const auto end = static_cast<off_t>(size());
  char last = '\n';
  return end == 0 || ::pread(file_.get(), &last, 1, end - 1) != 1 || last == '\n';
}

bool LogFile::is_at_its_path() const {
  const auto ours = facts(file_.get());
  struct stat there{};
  return ours && ::fstatat(folder_.get(), name_.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         is_same(there, *ours);
}

Result<void> LogFile::rename_to(const std::string& name) {
  if (!rename_new(folder_.get(), name_, name)) {
    return errno_error("rename the log " + path_ + " to " + name);
  }
  auto opened = reopen();
  if (!opened) (void)rename_new(folder_.get(), name, name_);
  return opened;
}

Result<std::vector<OldLog>> LogFile::named_alike() const {
  UniqueFd copy(::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(copy ? ::fdopendir(copy.get()) : nullptr,
                                                   &::closedir);
  if (!folder) return errno_error("read the folder of the log " + path_);
  (void)copy.release();  // it is the DIR's
  const auto ours = facts(file_.get());
  std::vector<OldLog> found;
  while (const dirent* entry = ::readdir(folder.get())) {
    auto log = as_old_log(name_, entry->d_name);
    struct stat file{};
    if (!log || ::fstatat(folder_.get(), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) != 0) continue;
    log->size = static_cast<std::uint64_t>(file.st_size);
    log->written_at = file.st_mtim.tv_sec * kSecond + file.st_mtim.tv_nsec;
    log->is_one = S_ISREG(file.st_mode) && ours && !is_same(file, *ours);
    found.push_back(std::move(*log));
  }
  sort_by_age(found);
  return found;
}

std::vector<OldLog> LogFile::old() const {
  auto found = named_alike();
  if (!found) return {};
  std::erase_if(*found, [](const OldLog& each) { return !each.is_one; });
  return std::move(*found);
}

Result<void> LogFile::remove(const std::string& name) const {
  if (::unlinkat(folder_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return errno_error("remove the old log " + name);
}

}  // namespace clusterd::agent
