#include "master/core/restart_delay.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace clusterd::core {
namespace {

using namespace std::chrono_literals;

constexpr Duration kNotReady = Duration::zero();

/// The delays in milliseconds after this many deaths in a row.
std::vector<long> delays(RestartDelay delay, int deaths) {
  std::vector<long> found;
  for (int death = 0; death < deaths; ++death) found.push_back(delay.next(kNotReady) / 1ms);
  return found;
}

}  // namespace

TEST_CASE("the first death costs no delay, and the next ones twice as much each, up to the most") {
  CHECK(delays(RestartDelay(100ms, 1s), 8) ==
        std::vector<long>{0, 100, 200, 400, 800, 1000, 1000, 1000});
  CHECK(delays(RestartDelay(100ms, 100ms), 4) == std::vector<long>{0, 100, 100, 100});
}

TEST_CASE("a life that was ready for the most delay ends the series") {
  RestartDelay delay(100ms, 1s);
  for (int death = 0; death < 6; ++death) (void)delay.next(kNotReady);
  CHECK(delay.deaths() == 6);
  CHECK(delay.next(1s) == 0ms);
  CHECK(delay.deaths() == 1);
  CHECK(delay.next(kNotReady) == 100ms);
}

TEST_CASE("a life that was ready for less than the most delay goes on with the series") {
  RestartDelay delay(100ms, 1s);
  (void)delay.next(kNotReady);
  CHECK(delay.next(1s - 1ns) == 100ms);
  CHECK(delay.next(999ms) == 200ms);
  CHECK(delay.deaths() == 3);
}

TEST_CASE("a thousand deaths in a row still wait for the most delay") {
  for (const Duration first : {Duration(1ns), Duration(100ms), Duration(1h), Duration(720h)}) {
    const Duration most = std::max<Duration>(first, 10s);
    CAPTURE(first.count());
    RestartDelay delay(first, most);
    CHECK(delay.next(kNotReady) == 0s);
    Duration last = 0s;
    for (int death = 0; death < 1000; ++death) {
      const Duration next = delay.next(kNotReady);
      const bool grows_to_most = next >= last && next >= first && next <= most;
      REQUIRE(grows_to_most);
      last = next;
    }
    if (first >= 100ms) CHECK(last == most);
  }
}

}  // namespace clusterd::core
