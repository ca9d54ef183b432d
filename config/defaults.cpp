#include "config/defaults.h"

#include "common/unique_fd.h"
#include "config/accounts.h"
#include "config/cpu_limit.h"
#include "config/words.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace clusterd::config {
namespace {

constexpr const char* kUsualPath = "/usr/local/bin:/usr/bin:/bin";
constexpr const char* kCannotBeRead = "cannot be read";

/// The variable's value, or an empty string if it is not set.
std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string find_control_root() {
  const uid_t user = ::geteuid();
  constexpr std::string_view kSystem = "/run/clusterd";
  if (user == 0) return std::string(kSystem);
  // A service of systemd's with User= and RuntimeDirectory=clusterd/NAME: where root looks for it.
  if (environment("RUNTIME_DIRECTORY").starts_with(std::string(kSystem) + "/")) {
    return std::string(kSystem);
  }
  const std::string runtime = environment("XDG_RUNTIME_DIR");
  // The base directory specification says that a relative one is to be ignored.
  if (runtime.starts_with('/')) return runtime + "/clusterd";
  return "/tmp/clusterd-" + std::to_string(user);
}

/// The first executable file `word` in a folder of PATH.
Result<std::string> find_in_path(std::string_view word, const Surroundings& surroundings) {
  std::string_view rest = surroundings.path;
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    // A relative folder would depend on where the master was started.
    if (!folder.starts_with('/')) continue;
    std::string program(folder);
    program.append(folder.ends_with('/') ? "" : "/").append(word);
    if (surroundings.why_not_executable(program).empty()) return program;
  }
  return make_error("no executable file " + in_quotes(word, kMostPathBytes) + " in PATH (" +
                    escaped(surroundings.path) + ")");
}

}  // namespace

std::string resolved(std::filesystem::path folder, const std::filesystem::path& path) {
  auto part = path.begin();
  for (; part != path.end() && (*part == "." || *part == ".."); ++part) {
    if (*part == "..") folder = folder.parent_path();
  }
  // Further on a ".." may follow a link, and only the kernel knows what it means there.
  for (; part != path.end(); ++part) folder /= *part;
  return folder.string();
}

Result<std::string> find_program(const std::string& word, const std::string& directory,
                                 const Surroundings& surroundings) {
  if (word.find('/') == std::string::npos) return find_in_path(word, surroundings);
  std::string program = resolved(directory, word);
  const std::string why = surroundings.why_not_executable(program);
  if (!why.empty()) return make_error(in_quotes(program, kMostPathBytes) + ": " + why);
  return program;
}

Surroundings find_surroundings(const std::string& real_file) {
  Surroundings found;
  found.file = real_file;
  found.path = environment("PATH");
  if (found.path.empty()) found.path = kUsualPath;
  UsableCpus cpus = usable_cpus();
  found.cpus = cpus.count;
  found.cpus_reason = std::move(cpus.reason);
  found.control_root = find_control_root();
  found.why_not_executable = &why_not_executable;
  found.why_not_folder = &why_not_folder;
  found.first_line = &first_line;
  found.read_file = &read_file;
  found.find_user = &find_user;
  found.find_group = &find_group;
  found.user_names = &user_names;
  found.group_names = &group_names;
  found.allowed_cpus = allowed_cpus();
  return found;
}

std::string why_not_executable(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::system_category().message(errno);
  if (S_ISDIR(status.st_mode)) return "is a directory";
  if (!S_ISREG(status.st_mode)) return "is not a regular file";
  // AT_EACCESS: exec asks for the effective user as well.
  if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) != 0) return "is not executable";
  return "";
}

std::string why_not_folder(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::system_category().message(errno);
  if (!S_ISDIR(status.st_mode)) return "is not a folder";
  if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) != 0) return "cannot be entered";
  return "";
}

std::string why_not_socket(const std::string& path) {
  constexpr std::size_t kMostSocketBytes = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() <= kMostSocketBytes) return "";
  return in_quotes(path, kMostPathBytes) + " has " + std::to_string(path.size()) +
         " bytes; a socket's path may have " + std::to_string(kMostSocketBytes);
}

Result<std::string> real_path(const std::string& file) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(file.c_str(), nullptr),
                                                         &std::free);
  if (real == nullptr) return errno_error(kCannotBeRead);
  return std::string(real.get());
}

std::string first_line(const std::string& file) {
  constexpr std::size_t kMost = 256;  // the kernel looks no further either
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  char bytes[kMost];
  const ssize_t got = fd ? ::read(fd.get(), bytes, sizeof bytes) : -1;
  if (got <= 0) return "";
  const std::string_view read(bytes, static_cast<std::size_t>(got));
  return std::string(read.substr(0, read.find('\n')));
}

Result<std::string> read_file(const std::string& file, std::size_t limit) {
  // O_NONBLOCK: a FIFO without a writer would block the open.
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0) return errno_error(kCannotBeRead);
  if (S_ISDIR(status.st_mode)) return make_error("is a directory");
  if (!S_ISREG(status.st_mode)) return make_error("is not a regular file");

  // The size that fstat() gives may be a lie (/proc) or change meanwhile: only reading tells.
  constexpr std::size_t kPiece = 64U * 1024U;
  std::string content;
  std::size_t size = 0;
  while (size <= limit) {
    content.resize(size + kPiece);
    const ssize_t got = ::read(fd.get(), content.data() + size, kPiece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(kCannotBeRead);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > limit) return make_error("is larger than " + std::to_string(limit) + " bytes");
  content.resize(size);
  return content;
}

std::string text(const std::string& file, const Mistake& mistake) {
  const std::string& where = mistake.origin.empty() ? file : mistake.origin;
  if (mistake.line == 0) return where + ": " + mistake.what;
  return where + ":" + std::to_string(mistake.line) + ": " + mistake.what;
}

std::variant<Settings, Mistakes> load(const std::string& file, std::span<const std::string> sets) {
  const Result<std::string> real = real_path(file);
  if (!real.has_value()) return Mistakes{{0, real.error().message()}};
  const Result<std::string> content = read_file(*real, kMostFileBytes);
  if (!content.has_value()) return Mistakes{{0, content.error().message()}};
  return parse(*content, find_surroundings(*real), sets);
}

}  // namespace clusterd::config
