#include "master/core/restart_limiter.h"

#include <doctest/doctest.h>

using namespace clusterd;
using namespace clusterd::core;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kStart{};

}  // namespace

TEST_CASE("the death that fills the window is the one too many") {
  RestartLimiter limiter(10, 60s);
  for (int death = 1; death <= 9; ++death) CHECK_FALSE(limiter.death(kStart + death * 5s));
  CHECK(limiter.in_window(kStart + 45s) == 9);
  CHECK(limiter.death(kStart + 59s));
  CHECK(limiter.death(kStart + 60s));
  CHECK(limiter.in_window(kStart + 60s) == 10);
}

TEST_CASE("deaths that are spread over more than the window are never too many") {
  RestartLimiter limiter(10, 60s);
  for (int death = 0; death < 1000; ++death) CHECK_FALSE(limiter.death(kStart + death * 6667ms));
  RestartLimiter faster(10, 60s);
  bool too_many = false;
  for (int death = 0; death < 10; ++death) too_many = faster.death(kStart + death * 6666ms);
  CHECK(too_many);
}

TEST_CASE("the window slides: what is older than it does not count") {
  RestartLimiter limiter(3, 10s);
  CHECK_FALSE(limiter.death(kStart));
  CHECK_FALSE(limiter.death(kStart + 1s));
  CHECK_FALSE(limiter.death(kStart + 10s));  // the first is out, to the nanosecond
  CHECK(limiter.in_window(kStart + 10s) == 2);
  CHECK(limiter.death(kStart + 10s));
  CHECK(limiter.in_window(kStart + 19s) == 2);
  CHECK(limiter.in_window(kStart + 20s) == 0);
  CHECK_FALSE(limiter.death(kStart + 20s));
}

TEST_CASE("a limit of one bears no death") {
  RestartLimiter limiter(1, 60s);
  CHECK(limiter.death(kStart));
  CHECK(limiter.death(kStart + 1h));
  CHECK(limiter.in_window(kStart + 1h) == 1);
}

TEST_CASE("a storm costs no memory") {
  RestartLimiter limiter(10, 60s);
  for (int death = 0; death < 1'000'000; ++death) (void)limiter.death(kStart);
  CHECK(limiter.in_window(kStart) == 10);
}
