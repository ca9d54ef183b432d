// A child that becomes another user (fault 40), and one whose number becomes another process's
// (fault 38).
#include "master/os/child_process.h"
#include "tests/os/shell.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <grp.h>
#include <optional>
#include <sched.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::os {
namespace {

using namespace std::chrono_literals;
using test::eventually;

constexpr uid_t kSomebody = 4321;

bool is_root() {
  if (::geteuid() == 0) return true;
  MESSAGE("not run: it needs root");
  return false;
}

SpawnSpec spec_of(std::vector<std::string> argv) {
  SpawnSpec spec;
  spec.program = argv[0];
  spec.argv = std::move(argv);
  spec.env = {"PATH=/usr/bin:/bin"};
  spec.directory = "/";
  ::getrlimit(RLIMIT_NOFILE, &spec.open_files);
  return spec;
}

ProcessEnd run_to_end(const SpawnSpec& spec) {
  auto spawned = spawn(spec);
  REQUIRE(spawned.has_value());
  ChildProcess child(std::move(*spawned));
  std::optional<ProcessEnd> end;
  REQUIRE(eventually([&] { return (end = child.reap()).has_value(); }, 20s));
  return *end;
}

/// Of what a child of an ordinary user fails at: that one is a process of its own.
std::string failed_step(const SpawnSpec& spec) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setresgid(kSomebody, kSomebody, kSomebody) != 0 ||
        ::setresuid(kSomebody, kSomebody, kSomebody) != 0) {
      ::_exit(1);
    }
    auto spawned = spawn(spec);
    if (!spawned.has_value()) ::_exit(1);
    ChildProcess child(std::move(*spawned));
    std::optional<ProcessEnd> end;
    if (!eventually([&] { return (end = child.reap()).has_value(); }, 20s)) ::_exit(1);
    const std::string step =
        end->exec_failure ? ExecFailure::name(end->exec_failure->stage) : "nothing";
    (void)!::write(out.get(), step.data(), step.size());
    ::_exit(0);
  }
  out.reset();
  char text[100] = {};
  const ssize_t got = ::read(in.get(), text, sizeof text);
  ::waitpid(pid, nullptr, 0);
  return {text, static_cast<std::size_t>(got > 0 ? got : 0)};
}

/// Gives the next process that is made here this number. False if the kernel has no such thing.
bool next_number_is(pid_t pid) {
  const UniqueFd fd(::open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC));
  const std::string text = std::to_string(pid - 1);
  return fd && ::write(fd.get(), text.data(), text.size()) > 0;
}

/// 0: the stranger with the number of a child that was reaped was never signalled.
int rounds_of_strangers(int rounds) {
  for (int round = 0; round < rounds; ++round) {
    auto spawned = spawn(spec_of({"/bin/true"}));
    if (!spawned.has_value()) return 2;
    const pid_t number = spawned->pid;
    ChildProcess child(std::move(*spawned));
    // Ended, and not reaped: nobody can have its number yet, and to signal it does no harm.
    child.signal(SIGTERM);
    if (!eventually([&] { return child.reap().has_value(); }, 20s)) return 3;
    if (!next_number_is(number)) return 4;
    const pid_t stranger = ::fork();
    if (stranger == 0) {
      for (;;) ::pause();
    }
    if (stranger != number) return 5;
    child.signal(SIGTERM);
    child.signal(SIGABRT);
    child.kill();
    siginfo_t info{};
    const bool lives =
        ::waitid(P_PID, static_cast<id_t>(stranger), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == 0;
    ::kill(stranger, SIGKILL);
    ::waitpid(stranger, nullptr, 0);
    if (!lives) return 6;
  }
  return 0;
}

}  // namespace

TEST_CASE("fault 40: there is no way back for a child that has become another user") {
  if (!is_root()) return;
  const std::string back =
      "id -u && id -G && ! setpriv --reuid 0 --clear-groups true "
      "2>/dev/null && ! setpriv --regid 0 --clear-groups true 2>/dev/null";
  SpawnSpec spec = spec_of({"/bin/sh", "-c", back});
  spec.identity = Identity{kSomebody, kSomebody, {7, 4321}};
  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  spec.output = null.get();
  CHECK(run_to_end(spec).value == 0);
  SUBCASE("nor by a program that is root's for everybody") {
    const test::TempDir dir;
    const std::string su = dir.path("su");
    REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
    REQUIRE(::system(("cp /usr/bin/id " + su + " && chmod 4755 " + su).c_str()) == 0);
    spec.argv = {"/bin/sh", "-c", "[ $(" + su + " -u) = 4321 ]"};
    CHECK(run_to_end(spec).value == 0);
  }
}

TEST_CASE("fault 40: the step of becoming another user that fails is named") {
  if (!is_root()) return;
  SpawnSpec spec = spec_of({"/bin/true"});
  spec.identity = Identity{65534, 65534, {7}};
  CHECK(failed_step(spec) == "set the supplementary groups");
  spec.identity = Identity{65534, 65534, {}};
  CHECK(failed_step(spec) == "change group");
  spec.identity = Identity{65534, kSomebody, {}};
  CHECK(failed_step(spec) == "change user");
  spec.identity = Identity{kSomebody, kSomebody, {}};
  CHECK(failed_step(spec) == "nothing");
  spec.identity.reset();
  spec.nice = -20;
  CHECK(failed_step(spec) == "set nice");
  spec.nice.reset();
  spec.cpu = 8191;
  CHECK(failed_step(spec) == "set affinity");
  spec.cpu.reset();
  rlimit locked{};
  REQUIRE(::getrlimit(RLIMIT_MEMLOCK, &locked) == 0);
  if (locked.rlim_max != RLIM_INFINITY) {
    spec.limits = {{RLIMIT_MEMLOCK, locked.rlim_max + 1}};
    CHECK(failed_step(spec) == "set memlock");
  }
}

TEST_CASE("fault 40: a child is not put into a folder that its user may not enter") {
  if (!is_root()) return;
  const test::TempDir dir;  // 0700
  SpawnSpec spec = spec_of({"/bin/true"});
  spec.directory = dir.path();
  CHECK(run_to_end(spec).value == 0);
  spec.identity = Identity{kSomebody, kSomebody, {}};
  const ProcessEnd end = run_to_end(spec);
  REQUIRE(end.exec_failure);
  CHECK(std::string(ExecFailure::name(end.exec_failure->stage)) == "change directory");
}

TEST_CASE("fault 38: who gets the number of a dead child is never signalled for it") {
  if (!is_root()) return;
  const pid_t outer = ::fork();
  if (outer == 0) {
    // In a PID namespace of its own the next number is free to choose.
    if (::unshare(CLONE_NEWPID) != 0) ::_exit(1);
    const pid_t init = ::fork();
    if (init == 0) ::_exit(rounds_of_strangers(1000));
    int status = 0;
    ::waitpid(init, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(outer, &status, 0) == outer);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 1 || WEXITSTATUS(status) == 4) {
    MESSAGE("not run: no PID namespace, or no ns_last_pid");
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace clusterd::os
