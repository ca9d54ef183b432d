#include "master/os/orphans.h"

#include "tests/os/shell.h"
#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <chrono>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace clusterd::os {
namespace {

using namespace std::chrono_literals;
using test::eventually;

/// As PID 1 is of everybody, without being it.
class Subreaper {
 public:
  Subreaper() { REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0); }
  ~Subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }
  Subreaper(const Subreaper&) = delete;
  Subreaper& operator=(const Subreaper&) = delete;
};

bool has_no_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0;
}

bool someone_has_ended() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

}  // namespace

TEST_CASE("orphans are reaped, and one of ours that has ended keeps its end") {
  const Subreaper subreaper;
  Shell ours("exit 7");
  REQUIRE(eventually([] { return someone_has_ended(); }, 10s));
  Shell other("setsid sh -c 'exit 3' & exit 0");
  const auto is_ours = [&](pid_t pid) { return pid == ours.pid() || pid == other.pid(); };
  // The kernel shows the oldest first, and that is not to be touched.
  CHECK_FALSE(reap_orphans(64, is_ours));
  CHECK(ours.reap().value == 7);
  CHECK(other.reap().value == 0);
  CHECK(eventually([&] { return reap_orphans(64, is_ours) && has_no_children(); }, 10s));
}

TEST_CASE("orphans are reaped a few at a time") {
  const Subreaper subreaper;
  Shell ours("for i in 1 2 3; do setsid true & done; exit 0");
  (void)ours.reap();
  const auto nobody = [](pid_t) { return false; };
  CHECK(eventually([&] { return !reap_orphans(1, nobody); }, 10s));
  CHECK(eventually([&] { return reap_orphans(1, nobody) && has_no_children(); }, 10s));
}

}  // namespace clusterd::os
