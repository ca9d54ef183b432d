#include "master/os/wall_timer.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <poll.h>

using clusterd::os::WallTimer;

namespace {

bool readable(const WallTimer& timer, int ms) {
  pollfd one{timer.fd(), POLLIN, 0};
  return ::poll(&one, 1, ms) == 1;
}

/// time(2) would lag behind by up to a tick.
std::int64_t now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())
      .time_since_epoch()
      .count();
}

}  // namespace

// That the clock was set is not tried: it is the whole machine's.

TEST_CASE("a wall timer fires at its second, once, and at once if that is over") {
  auto timer = WallTimer::create();
  REQUIRE(timer.has_value());
  CHECK_FALSE(readable(*timer, 0));
  CHECK(timer->take() == WallTimer::News::none);
  const std::int64_t at = now() + 1;
  CHECK_FALSE(timer->set(at));
  CHECK(readable(*timer, 10'000));
  CHECK(now() >= at);
  CHECK(timer->take() == WallTimer::News::fired);
  CHECK_FALSE(readable(*timer, 0));
  CHECK_FALSE(timer->set(0));
  CHECK(readable(*timer, 10'000));
  CHECK(timer->take() == WallTimer::News::fired);
}

TEST_CASE("a wall timer that is set to nothing never fires") {
  auto timer = WallTimer::create();
  REQUIRE(timer.has_value());
  CHECK_FALSE(timer->set(now() + 1));
  CHECK_FALSE(timer->set(std::nullopt));
  CHECK_FALSE(readable(*timer, 1200));
}
