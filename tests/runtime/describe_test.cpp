#include "master/runtime/describe.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <csignal>

namespace clusterd::runtime {

using namespace std::chrono_literals;
using Kind = core::ExitStatus::Kind;

TEST_CASE("an end is described by its code, its signal, or what kept it from starting") {
  core::ExitStatus status;
  status.kind = Kind::exited;
  status.value = 3;
  CHECK(describe(status) == "exited with code 3");
  status.kind = Kind::signaled;
  status.value = SIGKILL;
  CHECK(describe(status) == "killed by signal 9 (KILL)");
  status.value = SIGSEGV;
  status.dumped_core = true;
  CHECK(describe(status) == "killed by signal 11 (SEGV), core dumped");
  status.kind = Kind::not_started;
  status.value = ENOENT;
  status.detail = "exec";
  CHECK(describe(status) == "not started: exec: No such file or directory");
}

TEST_CASE("what the kernel says of an end is what is described") {
  CHECK(describe(to_status({false, 3, false, {}})) == "exited with code 3");
  CHECK(describe(to_status({true, SIGSEGV, true, {}})) ==
        "killed by signal 11 (SEGV), core dumped");
  const os::ExecFailure failure{os::ExecFailure::Stage::exec, ENOENT};
  CHECK(describe(to_status({false, 127, false, failure})) ==
        "not started: exec: No such file or directory");
}

TEST_CASE("a signal without a name is its number") {
  CHECK(signal_name(SIGTERM) == "TERM");
  CHECK(signal_name(63) == "63");
  CHECK(signal_name(-1) == "-1");
}

TEST_CASE("a duration is told with the digits that matter, in the unit that fits") {
  CHECK(describe(Duration::zero()) == "0.0 us");
  CHECK(describe(999us) == "999 us");
  CHECK(describe(3200us) == "3.2 ms");
  CHECK(describe(42ms) == "42 ms");
  CHECK(describe(1500ms) == "1.5 s");
  CHECK(describe(119s) == "119 s");
  CHECK(describe(2min) == "2.0 min");
  CHECK(describe(2h) == "2.0 h");
  CHECK(describe(47h) == "47 h");
  CHECK(describe(48h) == "2.0 days");
  CHECK(describe(24h * 30) == "30 days");
}

}  // namespace clusterd::runtime
