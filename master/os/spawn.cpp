#include "master/os/spawn.h"

#include "common/environment.h"
#include "master/os/become.h"
#include "master/os/pidfd.h"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace clusterd::os {
namespace {

/// Everything the child needs, made before fork: after it, only async-signal-safe calls are made.
struct Prepared {
  const char* program = nullptr;
  const char* directory = nullptr;
  std::vector<char*> argv;
  std::vector<char*> env;
  /// What becomes stdin, stdout, stderr and what follows; below 0 is as SpawnSpec says. The child
  /// changes its copy, which takes no memory.
  std::vector<int> sources;
  /// "NAME=" and room for the child's number, which the child writes to `hole`.
  std::string pid_entry;
  char* hole = nullptr;
  int failure = -1;
  pid_t parent = -1;
  const SpawnSpec* spec = nullptr;

  /// The first number that nothing is put at.
  [[nodiscard]] int first_free() const { return static_cast<int>(sources.size()); }
};

constexpr std::size_t kPidDigits = 10;
static_assert(kChannelFd == STDERR_FILENO + 1, "the channel comes first after the three");

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const std::string& string : strings) result.push_back(const_cast<char*>(string.c_str()));
  result.push_back(nullptr);
  return result;
}

[[noreturn]] void fail(int pipe, ExecFailure::Stage stage) {
  const ExecFailure failure{stage, errno};
  // If nobody reads it, the exit code alone has to tell.
  [[maybe_unused]] const ssize_t written = ::write(pipe, &failure, sizeof failure);
  ::_exit(127);
}

void reset_signals(bool ignore_sigpipe) {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &action, nullptr);
  action.sa_handler = SIG_IGN;
  if (ignore_sigpipe) ::sigaction(SIGPIPE, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Puts each source at its number, and marks everything else above stderr close-on-exec.
bool arrange_descriptors(Prepared& prepared) {
  std::vector<int>& sources = prepared.sources;
  int& input = sources[STDIN_FILENO];
  if (input < 0 && (input = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) return false;
  // A source that stands at one of these numbers would be lost when another is put there, and one
  // at its own would stay close-on-exec: all of them go out of the way first.
  const int first_free = prepared.first_free();
  for (int& source : sources) {
    if (source < 0 || source >= first_free) continue;
    if ((source = ::fcntl(source, F_DUPFD_CLOEXEC, first_free)) < 0) return false;
  }
  int number = STDIN_FILENO;
  for (const int source : sources) {
    if (source >= 0 && ::dup2(source, number) < 0) return false;
    ++number;
  }
  // All of ours are born close-on-exec. This is for those that we inherited from who started us.
  ::syscall(SYS_close_range, static_cast<unsigned>(first_free), ~0U, CLOSE_RANGE_CLOEXEC);
  return true;
}

/// In decimal, as text that ends where the number does.
void write_number(char* at, pid_t number) {
  char digits[kPidDigits];
  std::size_t count = 0;
  for (; number > 0 && count < kPidDigits; number /= 10) {
    digits[count++] = static_cast<char>('0' + number % 10);
  }
  while (count > 0) *at++ = digits[--count];
  *at = '\0';
}

using Stage = ExecFailure::Stage;

Stage stage_of(int resource) {
  if (resource == RLIMIT_NPROC) return Stage::processes;
  if (resource == RLIMIT_MEMLOCK) return Stage::locked_memory;
  return resource == RLIMIT_CORE ? Stage::core_file : Stage::open_files;
}

bool run_on(unsigned cpu) {
  std::array<cpu_set_t, 8> masks{};
  CPU_SET_S(cpu, sizeof masks, masks.data());
  return ::sched_setaffinity(0, sizeof masks, masks.data()) == 0;
}

/// What the child runs under, while it still may set it. Gives the step that failed.
std::optional<Stage> set_limits(const SpawnSpec& spec) {
  for (const auto& [resource, value] : spec.limits) {
    const rlimit both{value, value};
    if (::setrlimit(static_cast<__rlimit_resource>(resource), &both) != 0)
      return stage_of(resource);
  }
  // We raised our own limit for the connections in our hands; a program that uses select(2) must
  // not inherit that.
  if (::setrlimit(RLIMIT_NOFILE, &spec.open_files) != 0) return Stage::open_files;
  if (spec.umask) ::umask(*spec.umask);
  // SCHED_BATCH is the master's alone. The kernel's reset-on-fork resets only real-time policies.
  const sched_param no_priority{};
  ::sched_setscheduler(0, spec.batch ? SCHED_BATCH : SCHED_OTHER, &no_priority);
  if (spec.nice && ::setpriority(PRIO_PROCESS, 0, *spec.nice) < 0) return Stage::nice;
  if (spec.cpu && !run_on(*spec.cpu)) return Stage::affinity;
  return std::nullopt;
}

/// Whoever has our terminal could type into it what its user would be taken to have typed.
void leave_terminal() {
  const int terminal = ::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) return;  // there is none
  ::ioctl(terminal, TIOCNOTTY);
  ::close(terminal);
}

[[noreturn]] void run_child(Prepared& prepared) {
  const SpawnSpec& spec = *prepared.spec;
  // Not in the way of the numbers that the child is given.
  const int pipe = ::fcntl(prepared.failure, F_DUPFD_CLOEXEC, prepared.first_free());
  if (pipe < 0) ::_exit(127);
  if (::setpgid(0, 0) < 0) fail(pipe, Stage::process_group);
  if (!arrange_descriptors(prepared)) fail(pipe, Stage::descriptors);
  if (const auto failed = set_limits(spec)) fail(pipe, *failed);
  if (const auto& identity = spec.identity; identity) {
    leave_terminal();
    if (const auto failed = become(*identity)) fail(pipe, *failed);
  } else {
    drop_ambient_capabilities();
  }
  // As who it is now: it is not put where it may not go.
  if (::chdir(prepared.directory) < 0) fail(pipe, Stage::directory);
  if (!spec.outlives_master) {
    // A change of user has taken it off, so not before.
    ::prctl(PR_SET_PDEATHSIG, spec.death_signal);
    // The signal is only sent for a death after the call above.
    if (::getppid() != prepared.parent) fail(pipe, Stage::parent_gone);
  }
  if (prepared.hole != nullptr) write_number(prepared.hole, ::getpid());
  reset_signals(spec.ignores_sigpipe);
  ::execve(prepared.program, prepared.argv.data(), prepared.env.data());
  fail(pipe, Stage::exec);
}

/// Blocks all signals for its lifetime: one that reaches the child before its handlers are reset
/// would otherwise run the master's handler there, and be reported to the master.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

const char* ExecFailure::name(Stage stage) {
  switch (stage) {
    case Stage::parent_gone:
      return "find the master alive";
    case Stage::process_group:
      return "make a process group";
    case Stage::directory:
      return "change directory";
    case Stage::descriptors:
      return "arrange descriptors";
    case Stage::nice:
      return "set nice";
    case Stage::affinity:
      return "set affinity";
    case Stage::open_files:
      return "set nofile";
    case Stage::processes:
      return "set nproc";
    case Stage::locked_memory:
      return "set memlock";
    case Stage::core_file:
      return "set core";
    case Stage::groups:
      return "set the supplementary groups";
    case Stage::group:
      return "change group";
    case Stage::user:
      return "change user";
    case Stage::no_way_back:
      return "give up all privileges";
    case Stage::no_new_privileges:
      return "refuse new privileges";
    case Stage::exec:
      return "exec";
  }
  return "start";
}

Result<Spawned> spawn(const SpawnSpec& spec) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return errno_error("make a pipe");
  Spawned spawned;
  spawned.failure.reset(ends[0]);
  const UniqueFd write_end(ends[1]);

  Prepared prepared;
  prepared.program = spec.program.c_str();
  prepared.directory = spec.directory.c_str();
  prepared.argv = pointers(spec.argv);
  prepared.env = pointers(spec.env);
  if (!spec.pid_variable.empty()) {
    prepared.pid_entry = spec.pid_variable + "=";
    const std::size_t start = prepared.pid_entry.size();
    prepared.pid_entry.append(kPidDigits, ' ');
    prepared.hole = prepared.pid_entry.data() + start;
    prepared.env.insert(prepared.env.end() - 1, prepared.pid_entry.data());
  }
  prepared.sources = {spec.input, spec.output, spec.error};
  if (spec.channel >= 0) prepared.sources.push_back(spec.channel);
  prepared.sources.insert(prepared.sources.end(), spec.inherited.begin(), spec.inherited.end());
  prepared.failure = write_end.get();
  prepared.parent = ::getpid();
  prepared.spec = &spec;
  {
    const AllSignalsBlocked blocked;
    spawned.pid = ::fork();
    if (spawned.pid == 0) run_child(prepared);
  }
  if (spawned.pid < 0) return errno_error("fork");
  // Both sides set the group, so that it exists for whoever comes first.
  ::setpgid(spawned.pid, spawned.pid);
  // Safe against a reused number: nobody else reaps our children.
  spawned.pidfd.reset(::pidfd_open(spawned.pid, 0));
  if (!spawned.pidfd) {
    Error error = errno_error("open a pidfd");
    ::kill(-spawned.pid, SIGKILL);
    siginfo_t info;
    ::waitid(P_PID, static_cast<id_t>(spawned.pid), &info, WEXITED);
    return error;
  }
  return spawned;
}

}  // namespace clusterd::os
