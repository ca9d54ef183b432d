#include "master/runtime/notifications.h"

#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using test::eventually;

constexpr ChildId kOne{Role::worker, 1};
constexpr ChildId kTwo{Role::worker, 2};

/// This process is the child: it is of its own group as far as anybody can tell.
struct Bench {
  std::string open(ChildId child) {
    auto address = notifications.open(child);
    REQUIRE(address.has_value());
    notifications.started(child, ::getpid());
    return *address;
  }

  static void say(const std::string& where, const std::string& text) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, where.data() + 1, where.size() - 1);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + where.size());
    const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    REQUIRE(::sendto(fd.get(), text.data(), text.size(), 0,
                     reinterpret_cast<const sockaddr*>(&address),
                     length) == static_cast<ssize_t>(text.size()));
  }

  bool comes(auto&& fact) {
    return eventually(
        [&] {
          do io.restart();
          while (io.poll() > 0);
          return fact();
        },
        10s);
  }

  boost::asio::io_context io;
  std::vector<ChildId> watchdogs;
  std::function<void(ChildId)> on_watchdog;
  Notifications notifications{io, [this](ChildId child, const notify::Said& said) {
                                if (!said.watchdog) return;
                                watchdogs.push_back(child);
                                if (on_watchdog) on_watchdog(child);
                              }};
};

}  // namespace

TEST_CASE("each child is heard as itself, and its status is kept") {
  Bench bench;
  const std::string one = bench.open(kOne);
  const std::string two = bench.open(kTwo);
  CHECK(one != two);
  CHECK(bench.notifications.status(kOne).empty());
  Bench::say(two, "WATCHDOG=1\nSTATUS=second");
  CHECK(bench.comes([&] { return bench.watchdogs.size() == 1; }));
  Bench::say(one, "WATCHDOG=1\nSTATUS=first");
  CHECK(bench.comes([&] { return bench.watchdogs.size() == 2; }));
  CHECK(bench.watchdogs == std::vector{kTwo, kOne});
  CHECK(bench.notifications.status(kOne) == "first");
  CHECK(bench.notifications.status(kTwo) == "second");
  Bench::say(one, "STATUS=");
  CHECK(bench.comes([&] { return bench.notifications.status(kOne).empty(); }));
}

TEST_CASE("more than is read at once is heard in time") {
  Bench bench;
  const std::string one = bench.open(kOne);
  for (std::size_t round = 1; round <= 20; ++round) {
    for (int time = 0; time < 5; ++time) Bench::say(one, "WATCHDOG=1");
    CHECK(bench.comes([&] { return bench.watchdogs.size() == 5 * round; }));
  }
}

TEST_CASE("one that is closed is not heard, also when it is closed from what it says") {
  Bench bench;
  const std::string one = bench.open(kOne);
  const std::string two = bench.open(kTwo);
  bench.on_watchdog = [&](ChildId child) { bench.notifications.close(child); };
  Bench::say(one, "WATCHDOG=1");
  Bench::say(one, "WATCHDOG=1\nSTATUS=again");
  CHECK(bench.comes([&] { return !bench.watchdogs.empty(); }));
  Bench::say(two, "WATCHDOG=1");
  CHECK(bench.comes([&] { return bench.watchdogs.size() == 2; }));
  CHECK(bench.watchdogs == std::vector{kOne, kTwo});
  CHECK(bench.notifications.status(kOne).empty());
  bench.notifications.close(kOne);  // and once more does nothing
}

}  // namespace clusterd::runtime
