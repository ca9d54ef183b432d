#include "master/core/offer_ledger.h"
#include "tests/support/every_order.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

namespace clusterd::core {

using State = OfferLedger::State;

static doctest::String toString(State state) {
  switch (state) {
    case State::open:
      return "open";
    case State::full:
      return "full";
    case State::revoked:
      return "revoked";
    case State::ended:
      return "ended";
  }
  return "?";
}

namespace {

using namespace std::chrono_literals;
using testing::must;

constexpr TimePoint kNow{1h};
constexpr std::uint32_t kLast = std::numeric_limits<std::uint32_t>::max();

OfferLedger ledger_with(std::uint32_t window, std::uint32_t offers) {
  OfferLedger ledger(window);
  for (std::uint32_t offer = 0; offer < offers; ++offer) ledger.offer(kNow);
  return ledger;
}

}  // namespace

TEST_CASE("credit is what the window leaves, and taking gives it back") {
  OfferLedger ledger(4);
  CHECK(ledger.credit() == 4);
  for (std::uint32_t offer = 1; offer <= 4; ++offer) {
    ledger.offer(kNow);
    CHECK(ledger.credit() == 4 - offer);
  }
  CHECK(ledger.pending() == 4);
  CHECK(ledger.claim(3, kNow) == 3);
  CHECK(ledger.credit() == 3);
  CHECK(ledger.pending() == 1);
  CHECK(ledger.claim(3, kNow) == 0);
  CHECK(ledger.claim(4, kNow) == 1);
  CHECK(ledger.taken_in_all() == 4);
}

TEST_CASE("a lie is refused and changes nothing") {
  OfferLedger ledger = ledger_with(4, 3);
  REQUIRE(ledger.claim(2, kNow) == 2);
  for (const std::uint32_t lie : {4U, 5U, 1U, 0U, 1U << 31, kLast}) {
    CAPTURE(lie);
    CHECK_FALSE(ledger.claim(lie, kNow));
    CHECK(ledger.taken() == 2);
    CHECK(ledger.pending() == 1);
    CHECK(ledger.taken_in_all() == 2);
  }
  CHECK(ledger.claim(3, kNow) == 1);
}

TEST_CASE("what could not be sent counts as never offered") {
  OfferLedger ledger = ledger_with(4, 4);
  REQUIRE(ledger.claim(1, kNow) == 1);
  ledger.withdraw(2);
  CHECK(ledger.sent() == 2);
  CHECK(ledger.pending() == 1);
  CHECK(ledger.credit() == 3);
  CHECK_FALSE(ledger.claim(3, kNow));
}

TEST_CASE("a full ledger opens at the retry, or when the worker takes one") {
  OfferLedger ledger = ledger_with(4, 2);
  ledger.mark_full();
  CHECK(ledger.state() == State::full);
  CHECK(ledger.credit() == 0);
  OfferLedger other = ledger;
  ledger.retry();
  CHECK(ledger.state() == State::open);
  CHECK(ledger.credit() == 2);
  CHECK(other.claim(0, kNow) == 0);
  CHECK(other.state() == State::full);
  CHECK(other.claim(1, kNow) == 1);
  CHECK(other.state() == State::open);
}

TEST_CASE("a revoked ledger opens when the worker has thrown away all that came back") {
  OfferLedger ledger = ledger_with(4, 3);
  REQUIRE(ledger.claim(1, kNow) == 1);
  CHECK(ledger.revoke() == 2);
  CHECK(ledger.state() == State::revoked);
  CHECK(ledger.pending() == 0);
  CHECK(ledger.credit() == 0);
  CHECK(ledger.taken_in_all() == 1);
  ledger.mark_full();
  ledger.retry();
  CHECK(ledger.state() == State::revoked);
  CHECK_FALSE(ledger.dropped(2));
  CHECK_FALSE(ledger.dropped(4));
  CHECK(ledger.credit() == 0);
  CHECK(ledger.dropped(3));
  CHECK_FALSE(ledger.dropped(3));
  CHECK(ledger.credit() == 4);
  ledger.offer(kNow);
  CHECK(ledger.sent() == 4);
}

TEST_CASE("nothing opens a ledger that ended, and its offers can still be taken or revoked") {
  OfferLedger ledger = ledger_with(4, 3);
  ledger.end();
  ledger.retry();
  ledger.mark_full();
  CHECK_FALSE(ledger.dropped(3));
  CHECK(ledger.claim(1, kNow) == 1);
  CHECK(ledger.state() == State::ended);
  CHECK(ledger.credit() == 0);
  CHECK(ledger.revoke() == 2);
  CHECK(ledger.state() == State::ended);
  CHECK_FALSE(ledger.dropped(3));
  CHECK(ledger.state() == State::ended);
}

TEST_CASE("a worker is stalled if it leaves an offer untaken for the timeout") {
  OfferLedger ledger(4);
  CHECK_FALSE(ledger.stalled(kNow + 1h, 1s));
  ledger.offer(kNow);
  CHECK_FALSE(ledger.stalled(kNow + 999ms, 1s));
  CHECK(ledger.stalled(kNow + 1s, 1s));
  ledger.offer(kNow + 900ms);  // the oldest counts
  CHECK(ledger.stalled(kNow + 1s, 1s));
  REQUIRE(ledger.claim(0, kNow + 900ms) == 0);  // and to say the same again takes nothing
  CHECK(ledger.stalled(kNow + 1s, 1s));
  REQUIRE(ledger.claim(1, kNow + 900ms) == 1);
  CHECK(ledger.took_at() == kNow + 900ms);
  CHECK_FALSE(ledger.stalled(kNow + 1899ms, 1s));
  CHECK(ledger.stalled(kNow + 1900ms, 1s));
  REQUIRE(ledger.claim(2, kNow + 2s) == 1);
  CHECK_FALSE(ledger.stalled(kNow + 1h, 1s));
}

TEST_CASE("one that goes on taking is stalled if it takes too slowly") {
  OfferLedger ledger = ledger_with(16, 16);
  REQUIRE(ledger.claim(1, kNow + 500ms) == 1);
  REQUIRE(ledger.claim(2, kNow + 1s) == 1);
  CHECK(ledger.age(kNow + 1s) == 1s);
  CHECK(ledger.stalled(kNow + 1s, 1s));
}

TEST_CASE("an idle worker's time counts from its next offer") {
  OfferLedger ledger = ledger_with(4, 1);
  REQUIRE(ledger.claim(1, kNow) == 1);
  ledger.offer(kNow + 1h);
  CHECK_FALSE(ledger.stalled(kNow + 1h, 1s));
  CHECK(ledger.stalled(kNow + 1h + 1s, 1s));
}

TEST_CASE("what was taken back does not stall anybody") {
  OfferLedger ledger = ledger_with(4, 2);
  CHECK(ledger.revoke() == 2);
  CHECK_FALSE(ledger.stalled(kNow + 1h, 1s));
}

TEST_CASE("the books go on beyond 2^32") {
  OfferLedger ledger(4, kLast - 1);
  for (int offer = 0; offer < 4; ++offer) ledger.offer(kNow);
  CHECK(ledger.sent() == 2);
  CHECK(ledger.pending() == 4);
  CHECK_FALSE(ledger.claim(3, kNow));
  CHECK_FALSE(ledger.claim(kLast - 2, kNow));
  CHECK(ledger.claim(kLast, kNow) == 1);
  CHECK(ledger.claim(1, kNow) == 2);
  CHECK(ledger.taken_in_all() == 3);
  ledger.withdraw(1);
  CHECK(ledger.pending() == 0);
  ledger.offer(kNow);
  CHECK(ledger.revoke() == 1);
  CHECK_FALSE(ledger.dropped(1));
  CHECK(ledger.dropped(2));
}

namespace {

constexpr std::uint32_t kWindow = 3;

/// A ledger, and a shadow that counts without ever wrapping around.
struct Books {
  OfferLedger ledger;
  std::uint32_t first;
  std::uint32_t offered = 0;
  std::uint32_t taken = 0;
  std::uint32_t withdrawn = 0;
  std::uint32_t revoked = 0;
  std::uint32_t unsent = 0;  ///< offered by the last move: they can still be withdrawn
  State state = State::open;

  explicit Books(std::uint32_t first_sequence)
      : ledger(kWindow, first_sequence), first(first_sequence) {}

  [[nodiscard]] std::uint32_t pending() const { return offered - taken - withdrawn - revoked; }
  [[nodiscard]] std::uint32_t sent_number() const { return first + offered - withdrawn; }
  [[nodiscard]] std::uint32_t taken_number() const { return first + taken + revoked; }

  bool offers(std::uint32_t count) {
    if (ledger.credit() == 0 || count > ledger.credit()) return false;
    for (std::uint32_t offer = 0; offer < count; ++offer) ledger.offer(kNow);
    offered += count;
    return holds(count);
  }

  bool withdraws() {
    if (unsent == 0) return false;
    ledger.withdraw(unsent);
    withdrawn += unsent;
    return holds();
  }

  bool withdraws_the_last() {
    if (unsent < 2) return false;
    ledger.withdraw(1);
    ++withdrawn;
    return holds();
  }

  bool is_marked_full() {
    ledger.mark_full();
    if (state == State::open) state = State::full;
    return holds();
  }

  bool retries() {
    ledger.retry();
    if (state == State::full) state = State::open;
    return holds();
  }

  bool takes(std::uint32_t count) {
    if (count == 0 || count > pending()) return false;
    must(ledger.claim(taken_number() + count, kNow) == count, "a true claim frees what it says");
    taken += count;
    if (state == State::full) state = State::open;
    return holds();
  }

  bool lies(std::uint32_t claimed) {
    must(!ledger.claim(claimed, kNow), "a lie is refused");
    return holds();
  }

  bool repeats() {
    must(ledger.claim(taken_number(), kNow) == 0U, "the same again frees nothing");
    return holds();
  }

  bool is_revoked() {
    const std::uint32_t back = pending();
    must(ledger.revoke() == back, "all that is pending comes back");
    revoked += back;
    if (back > 0 && state != State::ended) state = State::revoked;
    return holds();
  }

  bool drops(std::uint32_t sequence) {
    const bool right = state == State::revoked && sequence == sent_number();
    must(ledger.dropped(sequence) == right, "only the right number reopens");
    if (right) state = State::open;
    return holds();
  }

  bool ends() {
    ledger.end();
    state = State::ended;
    return holds();
  }

  /// True, so that each move can end with it.
  bool holds(std::uint32_t just_offered = 0) {
    unsent = just_offered;
    must(ledger.pending() <= kWindow, "never more than the window");
    must(ledger.pending() == pending(), "every offer is pending, taken, withdrawn or revoked");
    must(ledger.sent() == sent_number() && ledger.taken() == taken_number(), "the numbers go on");
    must(ledger.taken_in_all() == taken, "all that was taken is counted");
    must(ledger.state() == state, "the state is the one that is documented");
    must(ledger.credit() == (state == State::open ? kWindow - pending() : 0), "credit when open");
    must(ledger.stalled(kNow, 0s) == (pending() > 0), "only who holds offers can stall");
    return true;
  }
};

}  // namespace

TEST_CASE("a ledger keeps its books in every order of events, also where the numbers wrap") {
  for (const std::uint32_t first : {0U, kLast - 1}) {
    CAPTURE(first);
    const std::size_t played = testing::every_order(
        Books(first), 6,
        {{"offer 1", [](Books& books) { return books.offers(1); }},
         {"offer all",
          [](Books& books) { return books.offers(std::max(2U, books.ledger.credit())); }},
         {"withdraw", [](Books& books) { return books.withdraws(); }},
         {"withdraw the last", [](Books& books) { return books.withdraws_the_last(); }},
         {"full", [](Books& books) { return books.is_marked_full(); }},
         {"retry", [](Books& books) { return books.retries(); }},
         {"claim 0", [](Books& books) { return books.repeats(); }},
         {"claim 1", [](Books& books) { return books.takes(1); }},
         {"claim all", [](Books& books) { return books.takes(std::max(2U, books.pending())); }},
         {"claim too many", [](Books& books) { return books.lies(books.sent_number() + 1); }},
         {"claim backwards", [](Books& books) { return books.lies(books.taken_number() - 1); }},
         {"revoke", [](Books& books) { return books.is_revoked(); }},
         {"dropped", [](Books& books) { return books.drops(books.sent_number()); }},
         {"dropped wrong", [](Books& books) { return books.drops(books.sent_number() - 1); }},
         {"end", [](Books& books) { return books.ends(); }}});
    CHECK(played > 1'000'000);
  }
}

}  // namespace clusterd::core
