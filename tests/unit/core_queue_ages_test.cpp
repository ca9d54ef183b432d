#include "master/core/queue_ages.h"

#include <doctest/doctest.h>

using namespace clusterd;
using namespace clusterd::core;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kStart{};

}  // namespace

TEST_CASE("nobody is known to be old before a look is old") {
  QueueAges ages;
  CHECK(ages.older_than(kStart, 10s) == 0);
  ages.look(kStart, 5);
  CHECK(ages.older_than(kStart + 9s, 10s) == 0);
  CHECK(ages.older_than(kStart + 10s, 10s) == 5);
}

TEST_CASE("who came after the old look is not old") {
  QueueAges ages;
  ages.look(kStart, 5);
  ages.look(kStart + 4s, 8);
  ages.look(kStart + 8s, 20);
  CHECK(ages.older_than(kStart + 10s, 10s) == 5);
  CHECK(ages.older_than(kStart + 14s, 10s) == 8);
  CHECK(ages.older_than(kStart + 17s, 10s) == 8);
  CHECK(ages.older_than(kStart + 18s, 10s) == 20);
}

TEST_CASE("as many looks are kept as fit into the age, and none after a clear") {
  QueueAges ages;
  for (int second = 0; second < 1000; ++second) {
    ages.look(kStart + second * 1s, static_cast<std::uint64_t>(second));
    CHECK(ages.older_than(kStart + second * 1s, 8s) ==
          static_cast<std::uint64_t>(second < 8 ? 0 : second - 8));
    CHECK(ages.looks() <= 9);
  }
  ages.clear();
  CHECK(ages.older_than(kStart + 2000s, 8s) == 0);
}
