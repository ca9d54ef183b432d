#include "master/os/process_look.h"

#include "tests/os/shell.h"
#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace clusterd::os {
namespace {

using namespace std::chrono_literals;
using test::eventually;

/// Ends with the test, in whatever state it is.
struct Watched : Shell {
  using Shell::Shell;
  ~Watched() {
    child->kill();
    CHECK(eventually([this] { return child->reap().has_value(); }, 10s));
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  bool comes_to_state(char state) {
    return eventually([&] { return look_at(pid()).state == state; }, 10s);
  }
};

constexpr const char* kWaits = "exec sleep 1000";
constexpr const char* kSpins = "while :; do :; done";

}  // namespace

TEST_CASE("a child that waits is seen to sleep, with what it uses") {
  Watched shell(kWaits);
  CHECK(eventually([&] { return look_at(shell.pid()).open_files == 4U; }, 10s));
  REQUIRE(shell.comes_to_state('S'));
  const ProcessLook look = look_at(shell.pid());
  CHECK(look.tracer == 0);
  CHECK_FALSE(look.traced());
  CHECK_FALSE(look.stopped());
  CHECK(look.threads == 1);
  CHECK(look.cpu_time.has_value());
  CHECK(look.resident_bytes.value_or(0) > 100'000);
  CHECK(look.resident_bytes.value_or(0) < 100'000'000);
  const std::string text = describe(look);
  CHECK(text.starts_with("state sleeping, "));
  CHECK(text.find("open files 4") != std::string::npos);
}

TEST_CASE("a child that spins uses its CPU time") {
  Watched shell(kSpins);
  CHECK(eventually([&] { return look_at(shell.pid()).cpu_time.value_or(0s) >= 50ms; }, 20s));
  CHECK(look_at(shell.pid()).state == 'R');
}

TEST_CASE("a child that was stopped is seen to be") {
  Watched shell(kWaits);
  ::kill(shell.pid(), SIGSTOP);
  REQUIRE(shell.comes_to_state('T'));
  CHECK(look_at(shell.pid()).stopped());
  CHECK(describe(look_at(shell.pid())).starts_with("state stopped by a signal"));
}

TEST_CASE("a child that is traced is seen to be, and by whom") {
  Watched shell(kWaits);
  if (::ptrace(PTRACE_SEIZE, shell.pid(), 0, 0) != 0) {
    MESSAGE("not tested: ptrace is not allowed here");
    return;
  }
  const ProcessLook look = look_at(shell.pid());
  CHECK(look.traced());
  CHECK(look.tracer == ::getpid());
  CHECK(describe(look).find("traced by process") != std::string::npos);
  ::ptrace(PTRACE_DETACH, shell.pid(), 0, 0);
}

TEST_CASE("a child that has ended has little to tell, and one that is gone nothing") {
  Watched shell("exit 0");
  REQUIRE(shell.comes_to_state('Z'));
  CHECK(look_at(shell.pid()).resident_bytes.value_or(0) == 0);
  CHECK(describe(look_at(shell.pid())).starts_with("state ended"));
  constexpr pid_t kNobody = 0x3fffffff;  // more than the kernel gives
  CHECK(describe(look_at(kNobody)) == "state not known");
  CHECK_FALSE(resident_bytes(kNobody));
}

TEST_CASE("a name full of traps is not taken for anything else") {
  // Its name, which /proc has in parentheses, becomes "a) R 1 2 (b".
  Watched shell("cd \"$(mktemp -d)\" && cp /bin/sleep 'a) R 1 2 (b' && exec './a) R 1 2 (b' 1000");
  REQUIRE(shell.comes_to_state('S'));
  CHECK(look_at(shell.pid()).cpu_time.value_or(1h) < 1min);
  CHECK(look_at(shell.pid()).threads == 1);
}

TEST_CASE("what is known is put into words, and the rest left out") {
  CHECK(describe({}) == "state not known");
  ProcessLook look;
  look.state = 'D';
  look.wait_channel = "nfs_wait";
  look.system_call = "0";
  look.cpu_time = 12'340ms;
  look.resident_bytes = 12U << 20;
  look.kernel_stack = "a < b";
  CHECK(describe(look) ==
        "state sleeping in the kernel, not to be interrupted, in nfs_wait, system call 0, "
        "CPU time 12.3 s, resident 12 MiB\nkernel stack: a < b");
}

}  // namespace clusterd::os
