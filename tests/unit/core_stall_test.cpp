// The window of a worker that takes too slowly.
#include "master/core/offer_ledger.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <random>

namespace clusterd::core {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{1h};
constexpr Duration kTimeout = 1s;
constexpr Duration kPace = kTimeout / 4;

/// A worker with the dispatcher's part of the care: as much as it has credit for is offered, it
/// takes one every `each`, and is looked at four times within the timeout.
struct Worker {
  OfferLedger ledger{16};
  Duration each = 1ms;
  bool wanted = true;  ///< there is always one more connection
  TimePoint now = kNow;
  TimePoint takes_at = kNow;
  TimePoint looks_at = kNow + kPace;
  int revokes = 0;
  std::uint32_t went_to_others = 0;
  Duration oldest{};

  void step() {
    while (wanted && ledger.credit() > 0) ledger.offer(now);
    const TimePoint next = ledger.pending() > 0 ? std::max(now, takes_at) : looks_at;
    now = std::min(next, looks_at);
    oldest = std::max(oldest, ledger.age(now));
    if (now == next && ledger.pending() > 0) {
      REQUIRE(ledger.claim(ledger.taken() + 1, now) == 1);
      takes_at = now + each;
    }
    if (now == looks_at) look();
  }

  void look() {
    looks_at = now + kPace;
    ledger.look(now, kTimeout);
    if (!ledger.stalled(now, kTimeout)) return;
    ledger.narrow();
    went_to_others += ledger.revoke();
    ++revokes;
    REQUIRE(ledger.dropped(ledger.sent()));
  }

  void run(Duration span) {
    for (const TimePoint end = now + span; now < end;) step();
  }
};

}  // namespace

TEST_CASE("what is taken back for a stall leaves half of what was taken meanwhile as the window") {
  for (const std::uint32_t taken : {0U, 1U, 2U, 3U, 9U, 15U}) {
    CAPTURE(taken);
    OfferLedger ledger(16);
    for (int offer = 0; offer < 16; ++offer) ledger.offer(kNow);
    REQUIRE(ledger.claim(taken, kNow + 900ms) == taken);
    ledger.narrow();
    CHECK(ledger.revoke() == 16 - taken);
    REQUIRE(ledger.dropped(16));
    CHECK(ledger.window() == std::max(1U, taken / 2));
    CHECK(ledger.credit() == ledger.window());
  }
}

TEST_CASE("nothing else makes a window smaller, and nothing larger than it was") {
  OfferLedger ledger(4);
  ledger.narrow();  // it holds nothing
  CHECK(ledger.window() == 4);
  ledger.offer(kNow);
  CHECK(ledger.revoke() == 1);
  CHECK(ledger.window() == 4);
  for (int look = 0; look < 100; ++look) ledger.look(kNow + look * kPace, kTimeout);
  CHECK(ledger.window() == 4);
}

TEST_CASE("more than a window that became smaller meanwhile gives no credit") {
  OfferLedger ledger(4);
  for (int offer = 0; offer < 3; ++offer) ledger.offer(kNow);
  ledger.narrow();  // but the others are full, and nothing is taken back
  CHECK(ledger.window() == 1);
  CHECK(ledger.credit() == 0);
  REQUIRE(ledger.claim(2, kNow) == 2);
  CHECK(ledger.credit() == 0);
  REQUIRE(ledger.claim(3, kNow) == 1);
  CHECK(ledger.credit() == 1);
}

TEST_CASE("one that was stopped has its whole window again a few timeouts after it went on") {
  Worker worker;
  worker.takes_at = kNow + 3s;
  worker.run(3s);
  CHECK(worker.revokes > 0);
  CHECK(worker.ledger.window() == 1);
  worker.revokes = 0;
  worker.run(6s);
  CHECK(worker.ledger.window() == 16);
  CHECK(worker.revokes == 0);
}

TEST_CASE("one that is offered nothing, or takes nothing, keeps its small window") {
  Worker worker;
  worker.takes_at = kNow + 2s;
  worker.run(2s);
  REQUIRE(worker.ledger.window() == 1);
  worker.wanted = false;
  worker.run(1min);
  CHECK(worker.ledger.window() <= 2);
  worker.wanted = true;
  worker.takes_at = worker.now + 1h;
  worker.run(1min);
  CHECK(worker.ledger.window() == 1);
}

TEST_CASE("a worker of a steady speed is taken back from once, and not again and again") {
  for (const Duration each :
       {Duration(1ms), Duration(20ms), Duration(61ms), Duration(63ms), Duration(70ms),
        Duration(100ms), Duration(150ms), Duration(249ms), Duration(251ms), Duration(333ms),
        Duration(500ms), Duration(600ms), Duration(751ms), Duration(900ms)}) {
    CAPTURE(each.count());
    Worker worker;
    worker.each = each;
    worker.run(10s);
    const int early = worker.revokes;
    CHECK(early <= 3);
    worker.oldest = {};
    worker.run(10min);
    CHECK(worker.revokes == early);
    CHECK(worker.oldest <= kTimeout + kPace);
  }
}

TEST_CASE("whatever its speed, no offer lies untaken for longer than a look after the timeout") {
  std::mt19937 random(7);
  Worker worker;
  for (int phase = 0; phase < 2'000; ++phase) {
    worker.each = std::chrono::milliseconds(1 << random() % 12);
    worker.wanted = random() % 4 != 0;
    worker.run(std::chrono::milliseconds(random() % 3'000));
    CHECK(worker.oldest <= kTimeout + kPace);
    CHECK(worker.ledger.window() >= 1);
    CHECK(worker.ledger.window() <= 16);
  }
}

}  // namespace clusterd::core
