#include "tests/support/program.h"

#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <filesystem>
#include <signal.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace clusterd::test {
namespace {

/// In the child. The numbers are those of a test, which are far from the first ones.
void pass(const std::vector<int>& sockets) {
  int number = 3;
  for (const int socket : sockets) ::fcntl(socket, F_DUPFD, 512 + number++);
  for (int fd = 3; fd < number; ++fd) ::dup2(512 + fd, fd);
  for (int fd = number; fd < 1024; ++fd) ::close(fd);
  if (sockets.empty()) return;
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", std::to_string(sockets.size()).c_str(), 1);
}

pid_t start(const std::vector<std::string>& argv, const std::string& out, const std::string& err,
            const std::vector<int>& passed = {}) {
  std::vector<char*> pointers;
  for (const std::string& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  // Its own session, as a daemon has: that decides how the kernel schedules it against us.
  ::setsid();
  const int to_out = ::open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int to_err = ::open(err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
  ::dup2(to_out, STDOUT_FILENO);
  ::dup2(to_err, STDERR_FILENO);
  pass(passed);
  ::execvp(pointers[0], pointers.data());
  ::_exit(127);
}

int to_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

/// The fields of /proc/PID/stat after the name.
std::vector<std::string> stat_fields(pid_t pid) {
  const std::string text = read_file("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(text.substr(name_end + 1));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

/// Those that have a number at this place of stat_fields().
std::vector<pid_t> processes_with(std::size_t field, pid_t number) {
  std::vector<pid_t> result;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const pid_t pid = static_cast<pid_t>(std::stol(name));
    const auto fields = stat_fields(pid);
    if (fields.size() > field && fields[field] == std::to_string(number)) result.push_back(pid);
  }
  return result;
}

}  // namespace

Finished run(const std::vector<std::string>& argv) {
  const TempDir dir;
  const pid_t pid = start(argv, dir.path("out"), dir.path("err"));
  int status = 0;
  ::waitpid(pid, &status, 0);
  return {to_code(status), read_file(dir.path("out")), read_file(dir.path("err"))};
}

Program::Program(const std::vector<std::string>& argv, const std::string& out,
                 const std::string& err, const std::vector<int>& passed)
    : pid_(start(argv, out, err, passed)) {}

Program::~Program() {
  if (!running()) return;
  signal(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Program::signal(int number) const { ::kill(pid_, number); }

bool Program::running() {
  if (ended_) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  ended_ = true;
  code_ = to_code(status);
  return false;
}

int Program::wait(std::chrono::milliseconds deadline) {
  return eventually([this] { return !running(); }, deadline) ? code_ : -1;
}

std::size_t count_fds(pid_t pid) {
  std::size_t count = 0;
  std::error_code ignored;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", ignored)) {
    ++count;
  }
  return count;
}

bool alive(pid_t pid) {
  const auto fields = stat_fields(pid);
  return !fields.empty() && fields[0] != "Z" && fields[0] != "X";
}

std::vector<pid_t> children_of(pid_t pid) {
  auto result = processes_with(1, pid);
  std::erase_if(result, [](pid_t child) { return !alive(child); });
  return result;
}

std::vector<pid_t> session_of(pid_t pid) { return processes_with(3, pid); }

std::int64_t resident_kib(pid_t pid) {
  std::istringstream text(read_file("/proc/" + std::to_string(pid) + "/statm"));
  std::int64_t all = 0;
  std::int64_t resident = 0;
  text >> all >> resident;
  return resident * ::sysconf(_SC_PAGESIZE) / 1024;
}

}  // namespace clusterd::test
