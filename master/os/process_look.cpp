#include "master/os/process_look.h"

#include "common/unique_fd.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace clusterd::os {
namespace {

constexpr std::size_t kMostBytes = 4096;      // of one file
constexpr std::size_t kMostFrames = 16;       // of a kernel stack
constexpr std::uint32_t kMostFiles = 10'000;  // counted one by one

/// False if /proc is another PID namespace's: our numbers mean other processes there.
bool proc_is_ours() {
  std::array<char, 32> text{};
  const ssize_t length = ::readlink("/proc/self", text.data(), text.size());
  return length > 0 && std::string_view(text.data(), static_cast<std::size_t>(length)) ==
                           std::to_string(::getpid());
}

std::string path_of(pid_t pid, const char* file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

/// Empty if it cannot be read.
std::string read_file(pid_t pid, const char* file) {
  const UniqueFd fd(::open(path_of(pid, file).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return {};
  std::string text(kMostBytes, '\0');
  const ssize_t length = ::read(fd.get(), text.data(), text.size());
  text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return text;
}

/// The text up to `end`, which is taken off with it.
std::string_view cut(std::string_view& text, char end) {
  const std::string_view part = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

template <typename Number>
std::optional<Number> to_number(std::string_view text) {
  Number number{};
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stopped == text.data()) return std::nullopt;
  return number;
}

/// The value of a line "NAME:\tVALUE" of /proc/PID/status. The process's own name, which it may
/// choose, has its line breaks escaped there.
std::string_view value_of(std::string_view status, std::string_view name) {
  while (!status.empty()) {
    std::string_view line = cut(status, '\n');
    if (cut(line, ':') == name) return line.substr(std::min(line.size(), line.find('\t') + 1));
  }
  return {};
}

/// The 14th and 15th field; the second, in parentheses, may have any characters in it.
std::optional<Duration> cpu_time_of(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  stat.remove_prefix(std::min(stat.size(), name_end + 2));
  for (int field = 3; field < 14; ++field) cut(stat, ' ');
  const auto user = to_number<std::int64_t>(cut(stat, ' '));
  const auto system = to_number<std::int64_t>(cut(stat, ' '));
  if (!user || !system) return std::nullopt;
  return std::chrono::milliseconds((*user + *system) * 1000 / ::sysconf(_SC_CLK_TCK));
}

/// "[<0>] do_poll+0x12/0x34" a line, innermost first: the names alone.
std::string stack_in_one_line(std::string_view stack) {
  std::string line;
  for (std::size_t frame = 0; frame < kMostFrames && !stack.empty(); ++frame) {
    std::string_view text = cut(stack, '\n');
    cut(text, ' ');
    if (!line.empty()) line += " < ";
    line += text.substr(0, text.find('+'));
  }
  return line;
}

/// Since Linux 6.2 the size of the folder is their number. Before, they have to be counted, and
/// above kMostFiles that would take the master too long.
std::optional<std::uint32_t> count_files(pid_t pid) {
  struct stat folder_stat{};
  if (::stat(path_of(pid, "fd").c_str(), &folder_stat) != 0) return std::nullopt;
  if (folder_stat.st_size > 0) return static_cast<std::uint32_t>(folder_stat.st_size);
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path_of(pid, "fd").c_str()),
                                                   &::closedir);
  if (!folder) return std::nullopt;
  std::uint32_t count = 0;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] != '.' && ++count == kMostFiles) break;
  }
  return count;
}

std::string in_tenths(Duration time) {
  const auto tenths = std::chrono::duration_cast<std::chrono::milliseconds>(time).count() / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

}  // namespace

ProcessLook look_at(pid_t pid) {
  ProcessLook look;
  if (!proc_is_ours()) return look;
  const std::string status = read_file(pid, "status");
  const std::string_view state = value_of(status, "State");
  if (!state.empty()) look.state = state.front();
  look.tracer = to_number<pid_t>(value_of(status, "TracerPid"));
  look.threads = to_number<int>(value_of(status, "Threads"));
  look.cpu_time = cpu_time_of(read_file(pid, "stat"));
  look.resident_bytes = resident_bytes(pid);
  look.open_files = count_files(pid);
  look.wait_channel = read_file(pid, "wchan");
  if (look.wait_channel == "0") look.wait_channel.clear();  // it does not sleep, or is hidden
  errno = 0;
  const std::string call = read_file(pid, "syscall");
  look.hidden = call.empty() && (errno == EACCES || errno == EPERM);
  look.system_call = call.substr(0, call.find_first_of(" \n"));
  look.kernel_stack = stack_in_one_line(read_file(pid, "stack"));
  return look;
}

std::string state_in_words(char state) {
  switch (state) {
    case 'R':
      return "running";
    case 'S':
      return "sleeping";
    case 'D':
      return "sleeping in the kernel, not to be interrupted";
    case 'T':
      return "stopped by a signal";
    case 't':
      return "stopped by a debugger";
    case 'Z':
    case 'X':
      return "ended";
    case 0:
      return "not known";
    default:
      return std::string(1, state);
  }
}

std::string describe(const ProcessLook& look) {
  std::string text = "state " + state_in_words(look.state);
  if (look.traced()) text += ", traced by process " + std::to_string(*look.tracer);
  if (!look.wait_channel.empty()) text += ", in " + look.wait_channel;
  if (!look.system_call.empty()) text += ", system call " + look.system_call;
  if (look.threads) text += ", threads " + std::to_string(*look.threads);
  if (look.cpu_time) text += ", CPU time " + in_tenths(*look.cpu_time) + " s";
  if (look.resident_bytes) {
    text += ", resident " + std::to_string(*look.resident_bytes >> 20) + " MiB";
  }
  if (look.open_files) text += ", open files " + std::to_string(*look.open_files);
  if (look.hidden) text += ", and what it does in the kernel is not for this user to see";
  if (!look.kernel_stack.empty()) text += "\nkernel stack: " + look.kernel_stack;
  return text;
}

std::optional<std::uint64_t> resident_bytes(pid_t pid) {
  if (!proc_is_ours()) return std::nullopt;
  const std::string statm = read_file(pid, "statm");
  std::string_view rest = statm;
  cut(rest, ' ');  // its size; the second is what is resident, in pages
  const auto pages = to_number<std::uint64_t>(rest);
  if (!pages) return std::nullopt;
  return *pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace clusterd::os
