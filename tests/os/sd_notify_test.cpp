#include "master/os/from_manager.h"
#include "tests/support/ear.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::os {
namespace {

using namespace std::chrono_literals;
using test::Ear;
using test::TempDir;
using test::Variable;
using Sent = SdNotify::Sent;

/// The quickest of some: the slowest tells of the machine.
std::chrono::nanoseconds quickest(const SdNotify& notify) {
  auto best = std::chrono::nanoseconds::max();
  for (int time = 0; time < 20; ++time) {
    const auto begin = std::chrono::steady_clock::now();
    (void)notify.send("WATCHDOG=1\n");
    best = std::min<std::chrono::nanoseconds>(best, std::chrono::steady_clock::now() - begin);
  }
  return best;
}

}  // namespace

TEST_CASE("sd_notify: a datagram reaches a path, and an abstract name") {
  const TempDir dir;
  const std::string abstract = "@clusterd-test-" + std::to_string(::getpid());
  for (const std::string& address : {dir.path("notify"), abstract}) {
    CAPTURE(address);
    Ear ear(address);
    const SdNotify notify(address);
    REQUIRE(notify);
    CHECK(notify.send("READY=1\nSTATUS=all is well\n") == Sent::yes);
    CHECK(ear.lines() == std::vector<std::string>{"READY=1", "STATUS=all is well"});
  }
}

TEST_CASE("sd_notify: an address that is none is as if there were no manager") {
  for (const std::string& address :
       {std::string(), std::string("@"), std::string("/"), std::string("notify"),
        std::string("vsock:2:1234"), "/" + std::string(200, 'x')}) {
    CAPTURE(address);
    const SdNotify notify(address);
    CHECK_FALSE(notify);
    CHECK(notify.send("READY=1") == Sent::no);
  }
  CHECK_FALSE(SdNotify());
}

TEST_CASE("sd_notify: a socket that is missing, deleted or full costs no time (fault 43)") {
  const TempDir dir;
  const SdNotify missing(dir.path("missing"));
  CHECK(missing.send("READY=1") == Sent::no);
  CHECK(quickest(missing) < 1ms);

  std::optional<Ear> ear(dir.path("notify"));
  const SdNotify notify(dir.path("notify"));
  Sent sent = Sent::yes;
  for (int count = 0; sent == Sent::yes && count < 100'000; ++count) sent = notify.send("STATUS=x");
  CHECK(sent == Sent::full);
  CHECK(quickest(notify) < 1ms);
  CHECK(ear->count("STATUS=") > 0);
  CHECK(notify.send("READY=1") == Sent::yes);

  ear.reset();
  CHECK(notify.send("READY=1") == Sent::no);  // a file, and nobody there
  ::unlink(dir.path("notify").c_str());
  CHECK(notify.send("READY=1") == Sent::no);
  CHECK(quickest(notify) < 1ms);

  Ear again(dir.path("notify"));
  CHECK(notify.send("READY=1") == Sent::yes);
}

TEST_CASE("sd_notify: a value is one line") {
  CHECK(sd_value("a\nREADY=1\r\x1b[m") == "a READY=1  [m");
  CHECK(sd_value("2 of 3 wörkers") == "2 of 3 wörkers");
}

TEST_CASE("what the manager has left is read once, and is in the environment no more") {
  const TempDir dir;
  Ear ear(dir.path("notify"));
  const Variable notify("NOTIFY_SOCKET", dir.path("notify"));
  const Variable usec("WATCHDOG_USEC", "3000000");
  const Variable pid("WATCHDOG_PID", std::to_string(::getpid()));
  const FromManager left = take_from_manager();
  CHECK(left.notify);
  CHECK(left.watchdog == 3s);
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    CAPTURE(name);
    CHECK(std::getenv(name) == nullptr);
  }
  const FromManager again = take_from_manager();
  CHECK_FALSE(again.notify);
  CHECK(again.watchdog == Duration::zero());
}

TEST_CASE("a watchdog that is another process's, or no number, is none") {
  const std::string another = std::to_string(::getpid() + 1);
  for (const auto& [usec, pid] :
       std::vector<std::pair<std::string, std::string>>{{"3000000", another},
                                                        {"0", ""},
                                                        {"-1", ""},
                                                        {"soon", ""},
                                                        {"3s", ""},
                                                        {"", ""},
                                                        {"99999999999999999999", ""}}) {
    CAPTURE(usec);
    const Variable set_usec("WATCHDOG_USEC", usec);
    const Variable set_pid("WATCHDOG_PID", pid);
    CHECK(take_from_manager().watchdog == Duration::zero());
  }
  const Variable for_anybody("WATCHDOG_USEC", "1000");
  CHECK(take_from_manager().watchdog == 1ms);
}

}  // namespace clusterd::os
