#include "master/os/spawn.h"

#include "common/environment.h"
#include "master/os/child_process.h"
#include "tests/support/eventually.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::os {

static doctest::String toString(ExecFailure::Stage stage) { return ExecFailure::name(stage); }

namespace {

using namespace std::chrono_literals;
using test::eventually;

/// A channel, and what starts a child at the other end of it.
struct Start {
  UniqueFd ours;
  UniqueFd theirs;
  SpawnSpec spec;
};

Start start_of(std::string program, std::vector<std::string> argv) {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  Start start{UniqueFd(ends[0]), UniqueFd(ends[1]), {}};
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  start.spec = {std::move(program), std::move(argv), {"PATH=/usr/bin:/bin"}, "/", ends[1], limit};
  return start;
}

/// Stays as exec made it, for the test to look at.
Start sleeper() { return start_of("/bin/sleep", {"sleep", "1000"}); }

ChildProcess spawn_one(const SpawnSpec& spec) {
  auto spawned = spawn(spec);
  REQUIRE(spawned.has_value());
  return ChildProcess(std::move(*spawned));
}

/// Spawns, and gives the child once exec has succeeded.
ChildProcess spawn_running(const SpawnSpec& spec) {
  auto spawned = spawn(spec);
  REQUIRE(spawned.has_value());
  const int failure = spawned->failure.get();
  char byte = 0;
  REQUIRE(eventually([&] { return ::read(failure, &byte, 1) == 0; }, 10s));
  return ChildProcess(std::move(*spawned));
}

ProcessEnd reap(ChildProcess& child) {
  std::optional<ProcessEnd> end;
  REQUIRE(eventually([&] { return (end = child.reap()).has_value(); }, 10s));
  return *end;
}

std::string proc(pid_t pid, const std::string& name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

std::string link_of(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::read_symlink(path, ignored).string();
}

std::set<int> fds_of(pid_t pid) {
  std::set<int> fds;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(proc(pid, "fd"), ignored)) {
    fds.insert(std::stoi(entry.path().filename().string()));
  }
  return fds;
}

/// The dynamic loader opens files of its own for a moment after exec.
bool has_exactly_its_four(pid_t pid) {
  return eventually([pid] { return fds_of(pid) == std::set<int>{0, 1, 2, 3}; }, 10s);
}

std::string channel_of(const Start& start) {
  return link_of(proc(::getpid(), "fd/" + std::to_string(start.theirs.get())));
}

/// A line of /proc/PID/status, without its name.
std::string status_of(pid_t pid, const std::string& name) {
  std::istringstream lines(test::read_file(proc(pid, "status")));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  }
  return "missing";
}

/// Has `fd`, or nothing, at a number of this process, and what was there again at the end.
class AtNumber {
 public:
  AtNumber(int number, int fd)
      : number_(number),
        saved_(::fcntl(number, F_DUPFD_CLOEXEC, 100)),
        flags_(::fcntl(number, F_GETFD)) {
    if (fd < 0) {
      ::close(number);
    } else if (fd != number) {
      ::dup2(fd, number);
    }
  }
  ~AtNumber() {
    if (saved_) {
      ::dup3(saved_.get(), number_, (flags_ & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0);
    } else {
      ::close(number_);
    }
  }
  AtNumber(const AtNumber&) = delete;
  AtNumber& operator=(const AtNumber&) = delete;

 private:
  int number_;
  UniqueFd saved_;
  int flags_;
};

/// Leaves this process only so many free numbers.
class FewFds {
 public:
  explicit FewFds(int free) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlim_t end = 0;
    for (int found = 0; found < free; ++end) {
      if (::fcntl(static_cast<int>(end), F_GETFD) < 0) ++found;
    }
    const rlimit few{end, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewFds() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewFds(const FewFds&) = delete;
  FewFds& operator=(const FewFds&) = delete;

 private:
  rlimit before_{};
};

bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

ExecFailure failure_of(const SpawnSpec& spec) {
  ChildProcess child = spawn_one(spec);
  const ProcessEnd end = reap(child);
  CHECK_FALSE(end.by_signal);
  CHECK(end.value == 127);
  REQUIRE(end.exec_failure);
  return *end.exec_failure;
}

}  // namespace

TEST_CASE("a child has stdin, stdout, stderr and its channel, and no other descriptor") {
  const Start start = sleeper();
  SUBCASE("as it is") {
    const ChildProcess child = spawn_running(start.spec);
    CHECK(has_exactly_its_four(child.pid()));
    CHECK(link_of(proc(child.pid(), "fd/0")) == "/dev/null");
    CHECK(link_of(proc(child.pid(), "fd/1")) == link_of("/proc/self/fd/1"));
    CHECK(link_of(proc(child.pid(), "fd/2")) == link_of("/proc/self/fd/2"));
    CHECK(link_of(proc(child.pid(), "fd/3")) == channel_of(start));
  }
  SUBCASE("though the master holds many that would be inherited, one of them at number 3") {
    std::vector<UniqueFd> held;
    for (int count = 0; count < 100; ++count) held.emplace_back(::open("/dev/zero", O_RDONLY));
    const AtNumber three(kChannelFd, held.front().get());
    const ChildProcess child = spawn_running(start.spec);
    CHECK(has_exactly_its_four(child.pid()));
    CHECK(link_of(proc(child.pid(), "fd/3")) == channel_of(start));
  }
  SUBCASE("though the channel has its number already in the master") {
    const AtNumber three(kChannelFd, start.theirs.get());
    SpawnSpec spec = start.spec;
    spec.channel = kChannelFd;
    REQUIRE(::fcntl(kChannelFd, F_SETFD, FD_CLOEXEC) == 0);
    const ChildProcess child = spawn_running(spec);
    CHECK(has_exactly_its_four(child.pid()));
    CHECK(link_of(proc(child.pid(), "fd/3")) == channel_of(start));
    CHECK((::fcntl(kChannelFd, F_GETFD) & FD_CLOEXEC) != 0);
  }
  SUBCASE("though the master has no stdin") {
    const AtNumber zero(STDIN_FILENO, -1);
    const ChildProcess child = spawn_running(start.spec);
    CHECK(has_exactly_its_four(child.pid()));
    CHECK(link_of(proc(child.pid(), "fd/0")) == "/dev/null");
    CHECK(link_of(proc(child.pid(), "fd/3")) == channel_of(start));
  }
  SUBCASE("though the channel stands where the master's stdin was") {
    const AtNumber zero(STDIN_FILENO, start.theirs.get());
    SpawnSpec spec = start.spec;
    spec.channel = STDIN_FILENO;
    const ChildProcess child = spawn_running(spec);
    CHECK(has_exactly_its_four(child.pid()));
    CHECK(link_of(proc(child.pid(), "fd/0")) == "/dev/null");
    CHECK(link_of(proc(child.pid(), "fd/3")) == channel_of(start));
  }
}

TEST_CASE("a child without a channel has stdin, stdout and stderr alone") {
  Start start = sleeper();
  start.spec.channel = -1;
  const auto has_three = [](const ChildProcess& child) {
    return eventually([&] { return fds_of(child.pid()) == std::set<int>{0, 1, 2}; }, 10s);
  };
  SUBCASE("as it is") {
    const ChildProcess child = spawn_running(start.spec);
    CHECK(has_three(child));
  }
  SUBCASE("though the master has something at its number that would be inherited") {
    const UniqueFd zeros(::open("/dev/zero", O_RDONLY));
    const AtNumber three(kChannelFd, zeros.get());
    const ChildProcess child = spawn_running(start.spec);
    CHECK(has_three(child));
  }
}

TEST_CASE("a child's stdin, stdout and stderr are those it was given, whatever their numbers") {
  Start start = sleeper();
  std::vector<UniqueFd> files;
  for (const char* path : {"/dev/zero", "/dev/full", "/dev/random"}) {
    files.emplace_back(::open(path, O_RDWR | O_CLOEXEC));
    REQUIRE(files.back());
  }
  const auto given = [&](int input, int output, int error, int channel) {
    start.spec.input = input;
    start.spec.output = output;
    start.spec.error = error;
    start.spec.channel = channel;
    const std::string wanted = channel_of(start);
    const ChildProcess child = spawn_running(start.spec);
    CHECK(has_exactly_its_four(child.pid()));
    CHECK(link_of(proc(child.pid(), "fd/0")) == "/dev/zero");
    CHECK(link_of(proc(child.pid(), "fd/1")) == "/dev/full");
    CHECK(link_of(proc(child.pid(), "fd/2")) == "/dev/random");
    CHECK(link_of(proc(child.pid(), "fd/3")) == wanted);
  };
  const int zero = files[0].get();
  const int full = files[1].get();
  const int random = files[2].get();
  const int channel = start.theirs.get();
  SUBCASE("high ones") { given(zero, full, random, channel); }
  SUBCASE("their own ones, though close-on-exec") {
    const AtNumber first(0, zero);
    const AtNumber second(1, full);
    const AtNumber third(2, random);
    const AtNumber fourth(3, channel);
    for (const int number : {0, 1, 2, 3}) ::fcntl(number, F_SETFD, FD_CLOEXEC);
    given(0, 1, 2, 3);
  }
  SUBCASE("each other's") {
    const AtNumber first(3, zero);
    const AtNumber second(0, full);
    const AtNumber third(1, random);
    const AtNumber fourth(2, channel);
    given(3, 0, 1, 2);
  }
}

TEST_CASE("one descriptor may be a child's stdout and stderr") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  Start start = start_of("/bin/sh", {"sh", "-c", "echo out; echo error >&2; cat"});
  start.spec.output = start.spec.error = theirs.get();
  ChildProcess child = spawn_one(start.spec);
  theirs.reset();
  CHECK(reap(child).value == 0);  // cat had nothing to read: stdin is /dev/null
  std::array<char, 64> text{};
  REQUIRE(::read(ours.get(), text.data(), text.size()) == 10);
  CHECK(std::string(text.data()) == "out\nerror\n");
  CHECK(::read(ours.get(), text.data(), text.size()) == 0);
}

TEST_CASE("what a child writes to its channel comes out at the master's end") {
  Start start = start_of("/bin/sh", {"sh", "-c", "echo \"$0 $GREETING\" >&3", "name"});
  start.spec.env.push_back("GREETING=hello");
  ChildProcess child = spawn_one(start.spec);
  start.theirs.reset();
  CHECK(reap(child).value == 0);
  std::array<char, 64> text{};
  REQUIRE(::recv(start.ours.get(), text.data(), text.size(), MSG_DONTWAIT) == 11);
  CHECK(std::string(text.data()) == "name hello\n");
  CHECK(::recv(start.ours.get(), text.data(), text.size(), MSG_DONTWAIT) == 0);
}

TEST_CASE("a child has the arguments, the environment, the folder and the group it was given") {
  const test::TempDir dir;
  Start start = sleeper();
  start.spec.argv = {"a name of our choice", "1000"};
  start.spec.env = {"ONE=1", "EMPTY="};
  start.spec.directory = dir.path(".");
  const ChildProcess child = spawn_running(start.spec);
  using namespace std::string_literals;
  CHECK(test::read_file(proc(child.pid(), "cmdline")) == "a name of our choice\0"s + "1000\0"s);
  CHECK(test::read_file(proc(child.pid(), "environ")) == "ONE=1\0EMPTY=\0"s);
  CHECK(std::filesystem::equivalent(proc(child.pid(), "cwd"), dir.path(".")));
  CHECK(::getpgid(child.pid()) == child.pid());
}

TEST_CASE("a child's open files are limited as asked, whatever the master's own limit is") {
  Start start = sleeper();
  start.spec.open_files = {123, 456};
  const ChildProcess child = spawn_running(start.spec);
  rlimit limit{};
  REQUIRE(::prlimit(child.pid(), RLIMIT_NOFILE, nullptr, &limit) == 0);
  CHECK(limit.rlim_cur == 123);
  CHECK(limit.rlim_max == 456);
}

TEST_CASE("a child blocks and ignores no signal though the master does") {
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  struct sigaction pipe_before{};
  struct sigaction usr1_before{};
  ::sigaction(SIGPIPE, &ignore, &pipe_before);
  ::sigaction(SIGUSR1, &ignore, &usr1_before);
  sigset_t some;
  sigemptyset(&some);
  for (const int signal : {SIGTERM, SIGHUP, SIGUSR2, SIGRTMIN}) sigaddset(&some, signal);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &some, &before);
  const std::string blocked = status_of(::getpid(), "SigBlk");

  const Start start = sleeper();
  const ChildProcess child = spawn_running(start.spec);
  const std::string none(16, '0');
  CHECK(status_of(child.pid(), "SigBlk") == none);
  CHECK(status_of(child.pid(), "SigIgn") == none);
  CHECK(status_of(child.pid(), "SigCgt") == none);
  CHECK(blocked != none);
  CHECK(status_of(::getpid(), "SigBlk") == blocked);  // the master's own mask is as it was

  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::sigaction(SIGPIPE, &pipe_before, nullptr);
  ::sigaction(SIGUSR1, &usr1_before, nullptr);
}

TEST_CASE("a program that cannot be executed is reported with the stage and the error") {
  const test::TempDir dir;
  Start start = sleeper();
  SUBCASE("a missing file") {
    start.spec.program = dir.path("missing");
    const ExecFailure failure = failure_of(start.spec);
    CHECK(failure.stage == ExecFailure::Stage::exec);
    CHECK(failure.error == ENOENT);
  }
  SUBCASE("a file that is not executable") {
    start.spec.program = dir.write("text", "no program");
    const ExecFailure failure = failure_of(start.spec);
    CHECK(failure.stage == ExecFailure::Stage::exec);
    CHECK(failure.error == EACCES);
  }
  SUBCASE("an executable file that is no program") {
    start.spec.program = dir.write("text", "no program");
    REQUIRE(::chmod(start.spec.program.c_str(), 0700) == 0);
    const ExecFailure failure = failure_of(start.spec);
    CHECK(failure.stage == ExecFailure::Stage::exec);
    CHECK(failure.error == ENOEXEC);
  }
  SUBCASE("a folder that is missing") {
    start.spec.directory = dir.path("missing");
    const ExecFailure failure = failure_of(start.spec);
    CHECK(failure.stage == ExecFailure::Stage::directory);
    CHECK(failure.error == ENOENT);
  }
  SUBCASE("a folder that is a file") {
    start.spec.directory = dir.write("text", "no folder");
    const ExecFailure failure = failure_of(start.spec);
    CHECK(failure.stage == ExecFailure::Stage::directory);
    CHECK(failure.error == ENOTDIR);
  }
  SUBCASE("a stderr that is not open") {
    start.spec.error = 100'000;
    const ExecFailure failure = failure_of(start.spec);
    CHECK(failure.stage == ExecFailure::Stage::descriptors);
    CHECK(failure.error == EBADF);
  }
  SUBCASE("a channel that is not open") {
    start.spec.channel = 100'000;
    const ExecFailure failure = failure_of(start.spec);
    CHECK(failure.stage == ExecFailure::Stage::descriptors);
    CHECK(failure.error == EBADF);
  }
}

TEST_CASE("fifty lives, some of which fail to begin, leave no descriptor and no process") {
  const Start start = sleeper();
  const std::set<int> before = fds_of(::getpid());
  for (int life = 0; life < 50; ++life) {
    SpawnSpec spec = start.spec;
    if (life % 5 == 1) spec.program = "/missing/program";
    if (life % 5 == 2) spec.directory = "/missing/folder";
    if (life % 5 == 3) {
      const FewFds none(0);
      CHECK_FALSE(spawn(spec).has_value());
      continue;
    }
    ChildProcess child = spawn_one(spec);
    if (life % 5 == 4) continue;  // the destructor ends it
    child.kill();
    reap(child);
  }
  CHECK(fds_of(::getpid()) == before);
  CHECK_FALSE(has_children());
}

TEST_CASE("a child that cannot be held by a pidfd is killed and reaped, and the error says why") {
  const Start start = sleeper();
  const std::set<int> before = fds_of(::getpid());
  {
    const FewFds pipe_alone(2);
    const auto spawned = spawn(start.spec);
    REQUIRE_FALSE(spawned.has_value());
    CHECK(spawned.error().code == std::errc::too_many_files_open);
  }
  CHECK(fds_of(::getpid()) == before);
  CHECK_FALSE(has_children());
}

}  // namespace clusterd::os
