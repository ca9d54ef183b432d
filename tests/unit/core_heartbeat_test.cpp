#include "master/core/heartbeat.h"
#include "tests/support/every_order.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <vector>

namespace clusterd::core {

using Verdict = Heartbeat::Verdict;

static doctest::String toString(Verdict verdict) {
  switch (verdict) {
    case Verdict::nothing:
      return "nothing";
    case Verdict::ping:
      return "ping";
    case Verdict::hung:
      return "hung";
  }
  return "?";
}

namespace {

using namespace std::chrono_literals;
using testing::must;

constexpr TimePoint kStart{1h};
constexpr Duration kTimeout = 2s;
constexpr Duration kPace = 500ms;

/// The verdicts of ticks at the heartbeat's pace, with the turns that are given.
std::vector<Verdict> ticks(Heartbeat& beat, const std::vector<std::uint64_t>& turns,
                           TimePoint& now) {
  std::vector<Verdict> verdicts;
  for (const std::uint64_t count : turns) {
    verdicts.push_back(beat.tick(now, count));
    now += Heartbeat::pace(beat.timeout());
  }
  return verdicts;
}

}  // namespace

TEST_CASE("the pace is a part of the timeout, and less than a second") {
  CHECK(Heartbeat::pace(1s) == 250ms);
  CHECK(Heartbeat::pace(kTimeout) == kPace);
  CHECK(Heartbeat::pace(32s) == 800ms);
  CHECK(Heartbeat::pace(1ms) == 10ms);
  for (Duration timeout = 1ms; timeout < 100s; timeout += 7ms) {
    const Duration pace = Heartbeat::pace(timeout);
    CHECK(pace >= 10ms);
    CHECK(pace <= 800ms);
    CHECK((pace == 10ms || 4 * pace <= timeout + 4ns));
  }
  CHECK(Heartbeat::pace(Duration::max()) <= 800ms);
}

TEST_CASE("the next tick is at a point that all share, or when the patience is half over or over") {
  Heartbeat beat(kTimeout);
  CHECK(beat.next_tick(kStart) == kStart + kPace);
  CHECK(beat.next_tick(kStart + 499ms) == kStart + kPace);
  CHECK(beat.next_tick(kStart + kPace) == kStart + 2 * kPace);
  const TimePoint seen = kStart + 100ms;
  (void)beat.tick(seen, 7);
  (void)beat.tick(kStart + 500ms, 7);
  CHECK(beat.next_tick(kStart + 500ms) == kStart + 1000ms);
  (void)beat.tick(kStart + 1000ms, 7);
  CHECK(beat.next_tick(kStart + 1000ms) == seen + kTimeout / 2);
  CHECK(beat.tick(seen + kTimeout / 2, 7) == Verdict::ping);
  CHECK(beat.next_tick(seen + kTimeout / 2) == kStart + 1500ms);
  (void)beat.tick(kStart + 1500ms, 7);
  (void)beat.tick(kStart + 2000ms, 7);
  CHECK(beat.next_tick(kStart + 2000ms) == seen + kTimeout);
  CHECK(beat.tick(seen + kTimeout, 7) == Verdict::hung);
  CHECK(beat.next_tick(seen + kTimeout) == kStart + 2500ms);
}

TEST_CASE("a loop that turns is not asked, and an idle one is asked once a silence") {
  Heartbeat beat(kTimeout);
  TimePoint now = kStart;
  CHECK(ticks(beat, {0, 1, 2, 3, 3, 4, 4, 5}, now) == std::vector(8, Verdict::nothing));
  CHECK(ticks(beat, {5, 5, 6, 6, 6, 7}, now) == std::vector{Verdict::nothing, Verdict::ping,
                                                            Verdict::nothing, Verdict::nothing,
                                                            Verdict::ping, Verdict::nothing});
}

TEST_CASE("who is not seen to turn for the timeout is hung") {
  Heartbeat beat(kTimeout);
  TimePoint now = kStart;
  CHECK(ticks(beat, {7, 7, 7, 7, 7, 7}, now) == std::vector{Verdict::nothing, Verdict::nothing,
                                                            Verdict::ping, Verdict::nothing,
                                                            Verdict::hung, Verdict::hung});
  beat.forgive();
  CHECK(ticks(beat, {7, 7, 7, 7}, now) ==
        std::vector{Verdict::nothing, Verdict::nothing, Verdict::nothing, Verdict::hung});
  CHECK(ticks(beat, {8, 8, 8}, now) ==
        std::vector{Verdict::nothing, Verdict::nothing, Verdict::ping});
}

TEST_CASE("who is asked has half of the timeout to turn, however late the question was") {
  Heartbeat beat(kTimeout);
  (void)beat.tick(kStart, 7);
  (void)beat.tick(kStart + 999ms, 7);
  CHECK(beat.tick(kStart + 1990ms, 7) == Verdict::ping);
  CHECK(beat.tick(kStart + 2000ms, 7) == Verdict::nothing);
  CHECK(beat.tick(kStart + 2989ms, 7) == Verdict::nothing);
  CHECK(beat.tick(kStart + 2990ms, 7) == Verdict::hung);
}

TEST_CASE("any change is a turn, also of a count that wraps around or goes back") {
  Heartbeat beat(kTimeout);
  TimePoint now = kStart;
  const std::uint64_t last = ~std::uint64_t{0};
  CHECK(ticks(beat, {last, 0, last, 5, 4, 4, 4}, now) ==
        std::vector{Verdict::nothing, Verdict::nothing, Verdict::nothing, Verdict::nothing,
                    Verdict::nothing, Verdict::nothing, Verdict::ping});
}

TEST_CASE("without a timeout nobody is asked or hung") {
  Heartbeat beat(Duration::zero());
  for (int tick = 0; tick < 1000; ++tick)
    CHECK(beat.tick(kStart + tick * 1s, 0) == Verdict::nothing);
}

TEST_CASE("D21: a tick that comes late starts the patience anew") {
  Heartbeat beat(kTimeout);
  TimePoint now = kStart;
  REQUIRE(ticks(beat, {7, 7, 7, 7}, now).back() == Verdict::nothing);
  now += 2 * kTimeout;  // the master was stopped, with one tick to go
  CHECK(ticks(beat, {7, 7, 7, 7, 7}, now) == std::vector{Verdict::nothing, Verdict::nothing,
                                                         Verdict::nothing, Verdict::nothing,
                                                         Verdict::hung});
}

TEST_CASE("D21: ticks that are always late hang nobody") {
  Heartbeat beat(kTimeout);
  for (int tick = 0; tick < 1000; ++tick) {
    CHECK(beat.tick(kStart + tick * (2 * kPace + 1ms), 7) != Verdict::hung);
  }
}

namespace {

/// In every order: it turns or not, and time goes on by a tick, a tick that is a little late, or
/// one that is too late.
struct Watched {
  Heartbeat beat{1s};  // four parts
  TimePoint now = kStart;
  std::uint64_t turns = 0;
  TimePoint fair_since = kStart;  ///< the later of its last turn and the last late tick
  std::optional<TimePoint> pinged{};

  bool tick(Duration since, bool late) {
    now += since;
    const Verdict verdict = beat.tick(now, turns);
    if (late) fair_since = now;
    if (verdict == Verdict::ping) {
      must(!pinged, "one ping a silence");
      pinged = now;
    }
    if (verdict == Verdict::hung) {
      must(pinged && now - *pinged >= 500ms, "nobody is hung who could not answer");
      must(now - fair_since >= 1s, "nobody is hung before the timeout");
    } else {
      must(now - fair_since < 1s + 2 * 400ms, "a hang is found soon after the timeout");
    }
    return true;
  }
  bool turn() {
    ++turns;
    fair_since = now;
    pinged.reset();
    return true;
  }
};

}  // namespace

TEST_CASE("in every order of turns and ticks a hang is found in time and nothing else is a hang") {
  const std::size_t played =
      testing::every_order(Watched{}, 10,
                           {{"tick", [](Watched& it) { return it.tick(250ms, false); }},
                            {"a little late", [](Watched& it) { return it.tick(400ms, false); }},
                            {"too late", [](Watched& it) { return it.tick(501ms, true); }},
                            {"turn", [](Watched& it) { return it.turn(); }}});
  CHECK(played > 1'000'000);
}

namespace {

/// A worker, a master that watches it, and all that may befall them, in virtual time of a
/// millisecond.
struct World {
  explicit World(unsigned seed) : random(seed) {
    const Duration timeouts[] = {1s, 2s, 3s, 30s};
    timeout = timeouts[random() % 4];
    beat = Heartbeat(timeout);
  }

  Duration up_to(Duration most) {
    return std::chrono::milliseconds(random() %
                                     static_cast<unsigned>(most / std::chrono::milliseconds(1)));
  }

  void step() {
    now += 1ms;
    if (now < machine_stopped_until) return;
    if (now >= blocked_until && (busy || pings > 0)) {
      pings = 0;
      ++turns;
      // Its handler may be long, but not as long as a hang.
      if (random() % 100 == 0) blocked_until = now + up_to(timeout);
    }
    if (random() % 500 == 0) busy = !busy;
    if (may_stop && random() % 5'000 == 0) {
      (random() % 2 == 0 ? machine_stopped_until : master_stopped_until) = now + up_to(4 * timeout);
    }
    if (now < ticks_at || now < machine_stopped_until || now < master_stopped_until) return;
    const Verdict verdict = beat.tick(now, turns);
    ticks_at = beat.next_tick(now) + (random() % 10 == 0 ? up_to(5ms) : 0ms);
    if (verdict == Verdict::ping) ++pings;
    hung = verdict == Verdict::hung;
  }

  std::mt19937 random;
  Duration timeout{};
  Heartbeat beat{1s};
  TimePoint now = kStart;
  TimePoint ticks_at = kStart;
  TimePoint blocked_until{};
  TimePoint master_stopped_until{};
  TimePoint machine_stopped_until{};
  std::uint64_t turns = 0;
  int pings = 0;
  bool busy = false;
  bool may_stop = true;
  bool hung = false;
};

}  // namespace

TEST_CASE("D10, D21: at random, who lives is never hung, and who hangs is found within a second") {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    World world(seed);
    while (world.now < kStart + 300s) {
      world.step();
      must(!world.hung, "who lives is not hung");
    }
    world.may_stop = false;
    while (world.now < std::max({world.machine_stopped_until, world.master_stopped_until,
                                 world.blocked_until})) {
      world.step();
      must(!world.hung, "who lives is not hung");
    }
    world.blocked_until = TimePoint::max();
    const TimePoint hangs_at = world.now;
    while (!world.hung && world.now < hangs_at + 1min) world.step();
    // An idle loop does not say when it stopped being able to turn: that may be after a half.
    CHECK(world.now - hangs_at >= world.timeout / 2);
    CHECK(world.now - hangs_at <= world.timeout + 1s);
  }
}

}  // namespace clusterd::core
