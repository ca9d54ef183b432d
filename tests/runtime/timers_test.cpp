#include "master/runtime/timers.h"

#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using test::eventually;

using Numbers = std::vector<int>;

struct Loop {
  /// Deadlines count from the loop's beginning, however long the test takes to set them.
  void set(int number, Duration after_begin) {
    timers.set(core::TimerId(number), begin + after_begin);
  }

  void turn() {
    do io.restart();
    while (io.poll() > 0);
  }

  bool comes_to(const Numbers& expected) {
    return eventually(
        [&] {
          turn();
          return fired == expected;
        },
        10s);
  }

  TimePoint begin = Clock::now();
  boost::asio::io_context io;
  Numbers fired;
  std::function<void(int)> on_fire;
  Timers timers{io, [this](core::TimerId id) {
                  fired.push_back(static_cast<int>(id));
                  if (on_fire) on_fire(static_cast<int>(id));
                }};
};

}  // namespace

TEST_CASE("timers fire in order of their deadlines, whatever the order they were set in") {
  Loop loop;
  loop.set(3, 30ms);
  loop.set(1, 10ms);
  loop.set(4, 40ms);
  loop.set(2, 20ms);
  CHECK(loop.comes_to({1, 2, 3, 4}));
}

TEST_CASE("timers of one deadline fire in the order they were set in") {
  Loop loop;
  const TimePoint at = Clock::now() + 10ms;
  for (int number = 0; number < 10; ++number) loop.timers.set(core::TimerId(number), at);
  CHECK(loop.comes_to({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_CASE("a timer does not fire before its deadline, and never from within set") {
  Loop loop;
  const TimePoint at = Clock::now() + 50ms;
  loop.timers.set(core::TimerId(1), at);
  REQUIRE(loop.comes_to({1}));
  CHECK(Clock::now() >= at);
  loop.set(2, -1s);
  CHECK(loop.fired == Numbers{1});
  CHECK(loop.comes_to({1, 2}));
}

TEST_CASE("a far deadline does not hold up a near one that is set after it") {
  Loop loop;
  loop.set(1, 1h);
  loop.turn();
  loop.set(2, 5ms);
  CHECK(loop.comes_to({2}));
}

TEST_CASE("a timer may set others, also ones that are due at once") {
  Loop loop;
  loop.on_fire = [&loop](int number) {
    if (number == 1) {
      loop.set(3, 10ms);
      loop.set(2, 0ms);
    }
  };
  loop.set(1, 1ms);
  CHECK(loop.comes_to({1, 2, 3}));
}

TEST_CASE("a timer that sets itself again and again does not keep the loop from its other work") {
  Loop loop;
  loop.on_fire = [&loop](int) { loop.timers.set(core::TimerId(1), Clock::now()); };
  loop.set(1, 0ms);
  REQUIRE(eventually(
      [&] {
        loop.io.restart();
        return loop.io.poll_one() > 0;  // comes back
      },
      10s));
  CHECK_FALSE(loop.fired.empty());
}

TEST_CASE("clear forgets all timers, and others can be set after it") {
  Loop loop;
  SUBCASE("before they are due") {
    loop.set(1, 1ms);
    loop.set(2, 2ms);
    loop.timers.clear();
  }
  SUBCASE("from the first that fires") {
    loop.on_fire = [&loop](int number) {
      if (number == 1) loop.timers.clear();
    };
    const TimePoint at = Clock::now();
    loop.timers.set(core::TimerId(1), at);
    loop.timers.set(core::TimerId(2), at);
    loop.timers.set(core::TimerId(3), at + 1ms);
    REQUIRE(loop.comes_to({1}));
    loop.fired.clear();
  }
  SUBCASE("when there are none") { loop.timers.clear(); }
  loop.set(4, 10ms);
  CHECK(loop.comes_to({4}));
}

}  // namespace clusterd::runtime
