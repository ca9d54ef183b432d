#include "master/os/child_process.h"

#include "tests/os/shell.h"
#include "tests/support/eventually.h"
#include "tests/support/program.h"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace clusterd::os {
namespace {

using namespace std::chrono_literals;
using test::alive;
using test::eventually;

/// What it writes to its channel, and whether it has ended, can be seen.
struct Speaker : Shell {
  using Shell::Shell;

  /// The number that the script writes to its channel.
  pid_t number() {
    std::string text;
    std::array<char, 32> some{};
    REQUIRE(eventually(
        [&] {
          const ssize_t got = ::recv(channel.get(), some.data(), some.size(), MSG_DONTWAIT);
          if (got > 0) text.append(some.data(), static_cast<std::size_t>(got));
          return text.ends_with('\n');
        },
        10s));
    return std::stoi(text);
  }

  [[nodiscard]] bool has_ended() const {
    pollfd ready{child->pidfd(), POLLIN, 0};
    return ::poll(&ready, 1, 0) == 1;
  }
};

/// Prints a number once it stands firm against TERM, and lives on.
constexpr const char* kIgnoresTerm = "trap '' TERM; echo $$ >&3; while :; do sleep 1000; done";
/// Prints the number of a grandchild that lives on.
constexpr const char* kLeavesGrandchild = "sleep 1000 & echo $! >&3; exit 5";

bool is_reaped(pid_t pid) { return ::kill(pid, 0) < 0 && errno == ESRCH; }

/// What dies without its parent comes to us, so that its end can be seen.
class Subreaper {
 public:
  Subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }
  ~Subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }
  Subreaper(const Subreaper&) = delete;
  Subreaper& operator=(const Subreaper&) = delete;
};

/// Forks a process that starts `sleep 1000` and waits for its own end. The number of the sleeper
/// comes through `out`.
pid_t fork_a_master(int out) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) ::_exit(1);
  const SpawnSpec spec{"/bin/sleep", {"sleep", "1000"}, {}, "/", ends[1], {64, 64}};
  const auto spawned = spawn(spec);
  if (!spawned.has_value()) ::_exit(1);
  // Only from exec on is it a program of its own.
  pollfd closed{spawned->failure.get(), POLLIN, 0};
  ::poll(&closed, 1, -1);
  if (::write(out, &spawned->pid, sizeof spawned->pid) < 0) ::_exit(1);
  for (;;) ::pause();
}

}  // namespace

TEST_CASE("a child that exits is reaped once, with its code") {
  Speaker shell("exit 7");
  const pid_t pid = shell.child->pid();
  REQUIRE(eventually([&] { return shell.has_ended(); }, 10s));
  const ProcessEnd end = shell.reap();
  CHECK_FALSE(end.by_signal);
  CHECK(end.value == 7);
  CHECK_FALSE(end.exec_failure);
  CHECK(is_reaped(pid));
  CHECK_FALSE(shell.child->reap());
}

TEST_CASE("a child that a signal ends is reaped with the signal") {
  Speaker shell("ulimit -c 0; kill -USR1 $$");
  const ProcessEnd end = shell.reap();
  CHECK(end.by_signal);
  CHECK(end.value == SIGUSR1);
  CHECK_FALSE(end.dumped_core);
}

TEST_CASE("a child that runs is not reaped, and its pidfd says nothing") {
  Speaker shell(kIgnoresTerm);
  shell.number();
  CHECK_FALSE(shell.has_ended());
  CHECK_FALSE(shell.child->reap());
  CHECK(alive(shell.child->pid()));
}

TEST_CASE("terminate sends TERM, which a child may take its time for, and kill cannot be ignored") {
  SUBCASE("terminate") {
    Speaker shell("echo 1 >&3; exec sleep 1000");
    shell.number();
    shell.child->signal(SIGTERM);
    const ProcessEnd end = shell.reap();
    CHECK(end.by_signal);
    CHECK(end.value == SIGTERM);
  }
  SUBCASE("terminate, ignored, then kill") {
    Speaker shell(kIgnoresTerm);
    shell.number();
    shell.child->signal(SIGTERM);
    CHECK_FALSE(shell.child->reap());
    shell.child->kill();
    const ProcessEnd end = shell.reap();
    CHECK(end.by_signal);
    CHECK(end.value == SIGKILL);
  }
}

TEST_CASE("kill ends the whole process group") {
  Speaker shell("sleep 1000 & echo $! >&3; wait");
  const pid_t grandchild = shell.number();
  REQUIRE(alive(grandchild));
  shell.child->kill();
  CHECK(eventually([&] { return !alive(grandchild); }, 10s));
  CHECK(shell.reap().value == SIGKILL);
}

TEST_CASE("a grandchild that the child left behind is killed when the child is reaped") {
  Speaker shell(kLeavesGrandchild);
  const pid_t grandchild = shell.number();
  REQUIRE(eventually([&] { return shell.has_ended(); }, 10s));
  CHECK(alive(grandchild));
  CHECK(shell.reap().value == 5);
  CHECK(eventually([&] { return !alive(grandchild); }, 10s));
}

TEST_CASE("a child that nobody reaped is killed and reaped with its object") {
  Speaker shell(kIgnoresTerm);
  const pid_t pid = shell.number();
  SUBCASE("as it is") { shell.child.reset(); }
  SUBCASE("wherever the object was moved to") {
    auto moved = std::make_optional<ChildProcess>(std::move(*shell.child));
    shell.child.reset();
    CHECK(alive(pid));
    moved.reset();
  }
  CHECK(is_reaped(pid));
}

TEST_CASE("a child is reaped with its object even if its pidfd does not block") {
  for (int times = 0; times < 20; ++times) {
    pid_t pid = -1;
    {
      Speaker shell("exec sleep 1000");
      pid = shell.child->pid();
      REQUIRE(::fcntl(shell.child->pidfd(), F_SETFL, O_NONBLOCK) == 0);
    }
    CHECK(is_reaped(pid));
  }
}

TEST_CASE("a child whose master dies gets TERM") {
  const Subreaper subreaper;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const UniqueFd in(ends[0]);
  const UniqueFd out(ends[1]);
  const pid_t master = fork_a_master(out.get());
  REQUIRE(master > 0);
  pid_t child = -1;
  REQUIRE(::read(in.get(), &child, sizeof child) == sizeof child);
  CHECK(alive(child));

  ::kill(master, SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(master, &status, 0) == master);
  REQUIRE(eventually([&] { return ::waitpid(child, &status, WNOHANG) == child; }, 10s));
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);
}

}  // namespace clusterd::os
