#include "master/core/balancer.h"
#include "tests/support/every_order.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

namespace clusterd::core {
namespace {

using namespace std::chrono_literals;
using testing::must;
using Seat = Balancer::Seat;

constexpr TimePoint kNow{1h};

Seat join(Balancer& balancer, std::uint32_t window, std::initializer_list<ListenerIndex> serves) {
  const Seat seat = balancer.join(window, SlotId{});
  for (const ListenerIndex listener : serves) balancer.serve(seat, listener);
  return seat;
}

void take(Balancer& balancer, Seat seat, std::uint32_t count) {
  OfferLedger& ledger = balancer.ledger(seat);
  REQUIRE(ledger.claim(ledger.taken() + count, kNow) == count);
}

void take_all(Balancer& balancer, Seat seat) {
  take(balancer, seat, balancer.ledger(seat).pending());
}

std::vector<Seat> next_seats(Balancer& balancer, ListenerIndex listener, int count) {
  std::vector<Seat> seats;
  for (int i = 0; i < count; ++i) {
    if (const auto seat = balancer.next({listener}, kNow)) seats.push_back(*seat);
  }
  return seats;
}

int most(const std::map<Seat, int>& counts) {
  int found = 0;
  for (const auto& [seat, count] : counts) found = std::max(found, count);
  return found;
}

}  // namespace

TEST_CASE("nobody is next where nobody is, or nobody serves the listener") {
  Balancer balancer;
  CHECK_FALSE(balancer.next({0}, kNow));
  CHECK_FALSE(balancer.anyone(0));
  (void)join(balancer, 4, {});
  (void)join(balancer, 4, {1});
  CHECK_FALSE(balancer.next({0}, kNow));
  CHECK_FALSE(balancer.anyone(0));
  CHECK(balancer.anyone(1));
}

TEST_CASE("two thousand connections go to four workers in strict turns") {
  Balancer balancer;
  std::vector<Seat> seats;
  for (int worker = 0; worker < 4; ++worker) seats.push_back(join(balancer, 16, {0}));
  std::map<Seat, int> counts;
  for (std::size_t offer = 0; offer < 2000; ++offer) {
    const auto seat = balancer.next({0}, kNow);
    REQUIRE(seat);
    REQUIRE(*seat == seats[offer % 4]);
    ++counts[*seat];
    if (offer % 7 == 0) take_all(balancer, *seat);  // at moments of no pattern with the turns
    if (balancer.ledger(*seat).credit() == 0) take(balancer, *seat, 3);
  }
  for (const Seat seat : seats) CHECK(counts[seat] == 500);
}

TEST_CASE("a worker that is passed over for want of credit has its turn when it has credit again") {
  Balancer balancer;
  const Seat a = join(balancer, 8, {0});
  const Seat b = join(balancer, 2, {0});
  const Seat c = join(balancer, 8, {0});
  CHECK(next_seats(balancer, 0, 8) == std::vector<Seat>{a, b, c, a, b, c, a, c});
  take_all(balancer, b);
  CHECK(next_seats(balancer, 0, 1) == std::vector<Seat>{b});
  take_all(balancer, b);
  CHECK(next_seats(balancer, 0, 6) == std::vector<Seat>{a, b, c, a, b, c});
}

TEST_CASE("counts are exactly even again once full windows have emptied") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    Balancer balancer;
    std::vector<Seat> seats;
    for (int worker = 0; worker < 4; ++worker) seats.push_back(join(balancer, 4, {0}));
    std::map<Seat, int> counts;
    for (int offer = 0; offer < 100; ++offer) {
      const Seat one = seats[random() % seats.size()];
      if (random() % 4 != 0) take_all(balancer, one);
      if (balancer.anyone(0)) ++counts[*balancer.next({0}, kNow)];
    }
    int total = 0;
    for (const Seat seat : seats) total += counts[seat];
    const int even = most(counts) + 1;
    for (; total < 4 * even; ++total) {
      for (const Seat seat : seats) take_all(balancer, seat);
      ++counts[*balancer.next({0}, kNow)];
    }
    for (const Seat seat : seats) CHECK(counts[seat] == even);
  }
}

TEST_CASE("a worker that is slower for good is not owed more and more") {
  Balancer balancer;
  const Seat slow = join(balancer, 1000, {0});
  const Seat fast = join(balancer, 1000, {0});
  for (int i = 0; i < 1000; ++i) balancer.ledger(slow).offer(kNow);
  for (int i = 0; i < 900; ++i) REQUIRE(balancer.next({0}, kNow) == fast);
  take_all(balancer, slow);
  take_all(balancer, fast);
  int in_a_row = 0;
  while (*balancer.next({0}, kNow) == slow) ++in_a_row;
  CHECK(in_a_row > 0);
  CHECK(in_a_row < 100);
}

TEST_CASE("a connection that nobody could take is a turn of nobody, and owed to nobody") {
  Balancer balancer;
  const Seat a = join(balancer, 4, {0});
  const Seat b = join(balancer, 4, {0});
  REQUIRE(next_seats(balancer, 0, 8).size() == 8);
  (void)balancer.ledger(a).revoke();
  CHECK(next_seats(balancer, 0, 5).empty());
  take_all(balancer, b);
  REQUIRE(balancer.ledger(a).dropped(balancer.ledger(a).sent()));
  const std::vector<Seat> seats = next_seats(balancer, 0, 4);
  CHECK(std::count(seats.begin(), seats.end(), a) == 2);
  CHECK(std::count(seats.begin(), seats.end(), b) == 2);
}

TEST_CASE("nobody is next once all windows are used up, and each gets no more than its window") {
  Balancer balancer;
  const Seat a = join(balancer, 2, {0});
  const Seat b = join(balancer, 3, {0});
  CHECK(next_seats(balancer, 0, 10) == std::vector<Seat>{a, b, a, b, b});
  CHECK_FALSE(balancer.anyone(0));
  take(balancer, a, 1);
  CHECK(balancer.anyone(0));
  CHECK(next_seats(balancer, 0, 10) == std::vector<Seat>{a});
}

TEST_CASE("a worker that is full, revoked or ended is passed over") {
  Balancer balancer;
  const Seat a = join(balancer, 4, {0});
  const Seat b = join(balancer, 4, {0});
  balancer.ledger(a).mark_full();
  CHECK(next_seats(balancer, 0, 2) == std::vector<Seat>{b, b});
  balancer.ledger(a).retry();
  CHECK(next_seats(balancer, 0, 1) == std::vector<Seat>{a});
  (void)balancer.ledger(b).revoke();
  balancer.ledger(a).end();
  CHECK_FALSE(balancer.anyone(0));
  CHECK_FALSE(balancer.next({0}, kNow));
  CHECK(balancer.ledger(b).dropped(balancer.ledger(b).sent()));
  CHECK(next_seats(balancer, 0, 1) == std::vector<Seat>{b});
}

TEST_CASE("each listener has a rotation of its own over those that serve it") {
  Balancer balancer;
  const Seat a = join(balancer, 8, {0, 1});
  const Seat b = join(balancer, 8, {1, 63});
  const Seat c = join(balancer, 8, {0, 1});
  CHECK(next_seats(balancer, 0, 3) == std::vector<Seat>{a, c, a});
  CHECK(next_seats(balancer, 1, 4) == std::vector<Seat>{a, b, c, a});
  CHECK(next_seats(balancer, 0, 2) == std::vector<Seat>{c, a});
  CHECK(next_seats(balancer, 63, 2) == std::vector<Seat>{b, b});
}

TEST_CASE("credit is the worker's, over all its listeners") {
  Balancer balancer;
  (void)join(balancer, 2, {0, 1});
  CHECK(next_seats(balancer, 0, 1).size() == 1);
  CHECK(next_seats(balancer, 1, 5).size() == 1);
  CHECK_FALSE(balancer.anyone(0));
}

TEST_CASE("a seat that was left gets nothing, and the next to join it starts anew") {
  Balancer balancer;
  const Seat a = join(balancer, 2, {0, 1});
  const Seat b = join(balancer, 2, {0});
  (void)next_seats(balancer, 0, 2);
  balancer.leave(a);
  CHECK_FALSE(balancer.anyone(1));
  CHECK(next_seats(balancer, 0, 3) == std::vector<Seat>{b});
  const Seat again = join(balancer, 5, {0});
  CHECK(again == a);
  CHECK(balancer.ledger(again).credit() == 5);
  CHECK(balancer.ledger(again).sent() == 0);
  CHECK_FALSE(balancer.anyone(1));
  CHECK(next_seats(balancer, 0, 9).size() == 5);
}

TEST_CASE("who joins a seat is not owed what the one before missed") {
  Balancer balancer;
  const Seat a = join(balancer, 1, {0});
  const Seat b = join(balancer, 9, {0});
  REQUIRE(next_seats(balancer, 0, 6) == std::vector<Seat>{a, b, b, b, b, b});
  balancer.leave(a);
  const Seat again = join(balancer, 9, {0});
  REQUIRE(again == a);
  const std::vector<Seat> seats = next_seats(balancer, 0, 4);
  CHECK(std::count(seats.begin(), seats.end(), again) == 2);
  CHECK(std::count(seats.begin(), seats.end(), b) == 2);
}

TEST_CASE("who was stalled or refused was absent, and is owed nothing") {
  Balancer balancer;
  const Seat a = join(balancer, 8, {0});
  const Seat b = join(balancer, 8, {0});
  OfferLedger& books = balancer.ledger(a);
  REQUIRE(next_seats(balancer, 0, 2) == std::vector<Seat>{a, b});
  REQUIRE(books.revoke() == 1);
  REQUIRE(next_seats(balancer, 0, 5) == std::vector<Seat>{b, b, b, b, b});
  REQUIRE(books.dropped(books.sent()));
  take_all(balancer, b);
  const std::vector<Seat> seats = next_seats(balancer, 0, 4);
  CHECK(std::count(seats.begin(), seats.end(), a) == 2);
  CHECK(std::count(seats.begin(), seats.end(), b) == 2);
}

TEST_CASE("one worker's connections have another to go to if that serves a listener of theirs") {
  constexpr std::uint64_t kFirst = 1;
  constexpr std::uint64_t kSecond = 2;
  Balancer balancer;
  const Seat a = join(balancer, 1, {0, 1});
  CHECK_FALSE(balancer.anyone_but(a, kFirst | kSecond));
  const Seat b = join(balancer, 1, {0});
  CHECK_FALSE(balancer.anyone_but(a, kSecond));
  CHECK_FALSE(balancer.anyone_but(a, 0));
  CHECK(balancer.anyone_but(a, kFirst | kSecond));
  CHECK(balancer.anyone_but(b, kFirst));
  balancer.serve(b, 1);
  CHECK(balancer.anyone_but(a, kSecond));
  balancer.ledger(b).offer(kNow);
  CHECK_FALSE(balancer.anyone_but(a, kSecond));
}

TEST_CASE("a sticky client whose worker declines it is another's until that is asked again") {
  Balancer balancer;
  const Seat a = join(balancer, 2, {0});
  const Seat b = join(balancer, 2, {0});
  const Arrival arrival{0, config::Policy::sticky, 7};
  const auto its = balancer.next(arrival, kNow);
  REQUIRE(its.has_value());
  balancer.ledger(*its).decline(1);
  CHECK(balancer.next(arrival, kNow) == (*its == a ? b : a));
  balancer.ledger(*its).retry();
  CHECK(balancer.next(arrival, kNow) == its);
}

namespace {

constexpr std::uint32_t kListeners = 3;
constexpr int kMostBefore = 100;  ///< one turn, and those it was owed

/// A balancer whose workers come and go at random, and what is known of each.
class Traffic {
 public:
  explicit Traffic(std::uint64_t seed) : random_(seed) {}

  void go_on() {
    switch (pick(20)) {
      case 0:
        return joins();
      case 1:
        return leaves();
      case 2:
        return any_seat([](OfferLedger& books) { (void)books.revoke(); });
      case 3:
        return any_seat([](OfferLedger& books) { (void)books.dropped(books.sent()); });
      case 4:
        return any_seat([](OfferLedger& books) { books.mark_full(); });
      case 5:
        return any_seat([](OfferLedger& books) { books.retry(); });
      default:
        return pick(3) == 0 ? takes() : connects(pick(kListeners));
    }
  }

  [[nodiscard]] int handed_out() const { return handed_out_; }

 private:
  struct Member {
    std::set<ListenerIndex> serves;
    /// How often each other one had its turn since this one had, or could have none.
    std::array<std::map<Seat, int>, kListeners> passed;
  };

  std::uint32_t pick(std::uint32_t count) {
    return std::uniform_int_distribution<std::uint32_t>(0, count - 1)(random_);
  }

  Seat some_seat() { return std::next(members_.begin(), pick(size()))->first; }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(members_.size()); }

  [[nodiscard]] bool can_take(Seat seat, ListenerIndex listener) const {
    return members_.at(seat).serves.count(listener) > 0 && balancer_.ledger(seat).credit() > 0;
  }

  void joins() {
    if (size() >= 6) return;
    const Seat seat = balancer_.join(1 + pick(8), SlotId{});
    must(members_.count(seat) == 0, "a seat is given to one worker at a time");
    Member& member = members_[seat];
    for (ListenerIndex listener = 0; listener < kListeners; ++listener) {
      if (pick(4) == 0) continue;
      balancer_.serve(seat, listener);
      member.serves.insert(listener);
    }
  }

  void leaves() {
    if (members_.empty()) return;
    const Seat seat = some_seat();
    balancer_.leave(seat);
    members_.erase(seat);
    for (auto& [other, member] : members_) {
      for (auto& passed : member.passed) passed.erase(seat);  // who joins there next is another
    }
  }

  void any_seat(void (*change)(OfferLedger&)) {
    if (members_.empty()) return;
    change(balancer_.ledger(some_seat()));
    forget_those_without_credit();
  }

  void takes() {
    if (members_.empty()) return;
    OfferLedger& books = balancer_.ledger(some_seat());
    const std::uint32_t count = pick(books.pending() + 1);
    must(books.claim(books.taken() + count, kNow) == count, "what was offered can be taken");
  }

  void connects(ListenerIndex listener) {
    std::map<Seat, std::uint32_t> pending;
    bool anyone = false;
    for (const auto& [seat, member] : members_) {
      pending[seat] = balancer_.ledger(seat).pending();
      anyone = anyone || can_take(seat, listener);
    }
    must(balancer_.anyone(listener) == anyone, "anyone() tells the truth");
    std::vector<Seat> able;
    for (const auto& [seat, member] : members_) {
      if (can_take(seat, listener)) able.push_back(seat);
    }
    const auto chosen = balancer_.next({listener}, kNow);
    must(chosen.has_value() == anyone, "somebody is next if somebody can take it");
    if (!chosen) return;
    ++handed_out_;
    must(std::count(able.begin(), able.end(), *chosen) == 1, "who is next can take it");
    for (const auto& [seat, member] : members_) {
      must(balancer_.ledger(seat).pending() == pending[seat] + (seat == *chosen ? 1 : 0),
           "one offer is charged, to one worker");
    }
    members_.at(*chosen).passed[listener].clear();
    for (const Seat seat : able) {
      if (seat == *chosen) continue;
      must(++members_.at(seat).passed[listener][*chosen] <= kMostBefore,
           "nobody has turn after turn before me");
    }
    forget_those_without_credit();
  }

  void forget_those_without_credit() {
    for (auto& [seat, member] : members_) {
      if (balancer_.ledger(seat).credit() > 0) continue;
      for (auto& passed : member.passed) passed.clear();
    }
  }

  Balancer balancer_;
  std::mt19937_64 random_;
  std::map<Seat, Member> members_;
  int handed_out_ = 0;
};

}  // namespace

TEST_CASE("turns stay fair while workers come, go, stall and take at random") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Traffic traffic(seed);
    for (int step = 0; step < 2000; ++step) traffic.go_on();
    CHECK(traffic.handed_out() > 200);
  }
}

}  // namespace clusterd::core
