#include "master/core/recycle.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <random>
#include <vector>

namespace clusterd::core {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

RecycleRule rule(const RecycleLimits& limits, double share = 0) { return {limits, share}; }

}  // namespace

TEST_CASE("a worker is due at its limit, and the reason is told with it") {
  const RecycleRule requests = rule({.requests = 10'000});
  CHECK_FALSE(requests.due({9'999, {}}, 1000h));
  CHECK(requests.due({10'000, {}}, 0s) ==
        "it has answered 10,000 requests (recycle.requests 10000)");
  CHECK(requests.due({10'312, {}}, 0s) ==
        "it has answered 10,312 requests (recycle.requests 10000)");
  CHECK(requests.due({1'234'567, {}}, 0s) ==
        "it has answered 1,234,567 requests (recycle.requests 10000)");
  CHECK(rule({.requests = 1}).due({1, {}}, 0s) ==
        "it has answered 1 requests (recycle.requests 1)");

  const RecycleRule lifetime = rule({.lifetime = 2h});
  CHECK_FALSE(lifetime.due({1'000'000, 1000 * kMiB}, 2h - 1ns));
  CHECK(lifetime.due({}, 2h) == "it is 2.0 h old (recycle.lifetime 2.0 h)");
  CHECK(lifetime.due({}, 130min) == "it is 2.1 h old (recycle.lifetime 2.0 h)");
  CHECK(rule({.lifetime = 10s}).due({}, 119s) == "it is 119 s old (recycle.lifetime 10 s)");
  CHECK(rule({.lifetime = 2min}).due({}, 119min) == "it is 119 min old (recycle.lifetime 2 min)");

  const RecycleRule memory = rule({.memory = 600 * kMiB});
  CHECK_FALSE(memory.due({0, 600 * kMiB - 1}, 1000h));
  CHECK(memory.due({0, 612 * kMiB + 5}, 0s) == "it uses 612 MiB (recycle.memory 600 MiB)");
}

TEST_CASE("memory that cannot be read is below any limit") {
  CHECK_FALSE(rule({.memory = 1}).due({0, std::nullopt}, 1h));
}

TEST_CASE("without a limit nothing is too much, and a jitter alone is no limit") {
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  for (const double jitter : {0.0, 0.1, 1.0, 100.0}) {
    for (const double share : {0.0, 0.5, 0.999}) {
      const RecycleRule none = rule({.jitter = jitter}, share);
      CHECK_FALSE(none.any());
      CHECK_FALSE(none.limits_memory());
      CHECK_FALSE(none.due({0, 0}, 0s));
      CHECK_FALSE(none.due({most, most}, Duration::max()));
    }
  }
}

TEST_CASE("each limit is one, also beside others") {
  CHECK(rule({.requests = 1}).any());
  CHECK(rule({.lifetime = 1ns}).any());
  CHECK(rule({.memory = 1}).limits_memory());
  const RecycleRule all = rule({.requests = 10, .lifetime = 1h, .memory = kMiB});
  CHECK_FALSE(all.due({9, kMiB - 1}, 1h - 1ns));
  CHECK(all.due({10, 0}, 0s).value().find("requests") != std::string::npos);
  CHECK(all.due({0, 0}, 1h).value().find("old") != std::string::npos);
  CHECK(all.due({0, kMiB}, 0s).value().find("MiB") != std::string::npos);
}

TEST_CASE("a limit is raised by the worker's share of the jitter, each by the same part") {
  const RecycleRule raised =
      rule({.requests = 1000, .lifetime = 1000s, .memory = 1000, .jitter = 0.5}, 0.5);
  CHECK_FALSE(raised.due({1249, 1249}, 1249s));
  CHECK(raised.due({1250, 0}, 0s));
  CHECK(raised.due({0, 0}, 1250s));
  CHECK(raised.due({0, 1250}, 0s));
  CHECK(rule({.requests = 1000, .jitter = -1}, 0.5).due({1000, {}}, 0s));
  CHECK_FALSE(rule({.requests = 1000, .jitter = -1}, 0.5).due({999, {}}, 0s));
}

TEST_CASE("the largest limit and the largest claim are as any others") {
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  CHECK(rule({.requests = 5}).due({most, {}}, 0s));
  CHECK_FALSE(rule({.requests = most, .jitter = 1}, 0.5).due({most, {}}, 0s));
}

TEST_CASE("a share is below one, and workers that start together are not due together") {
  CHECK(share_of(0) == 0.0);
  CHECK(share_of(~std::uint64_t{0}) < 1.0);
  CHECK(share_of(~std::uint64_t{0}) > 0.999);
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> due_at;
  for (int worker = 0; worker < 100; ++worker) {
    const RecycleRule one = rule({.requests = 100'000, .jitter = 0.1}, share_of(random()));
    std::uint64_t requests = 100'000;
    while (!one.due({requests, {}}, 0s)) ++requests;
    CHECK(requests <= 110'000);
    due_at.push_back(requests);
  }
  std::sort(due_at.begin(), due_at.end());
  CHECK(due_at.front() < 101'000);
  CHECK(due_at.back() > 109'000);
  CHECK(std::unique(due_at.begin(), due_at.end()) - due_at.begin() > 95);
}

}  // namespace clusterd::core
