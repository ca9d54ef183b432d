#include "master/core/balancer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <vector>

using namespace clusterd;
using namespace clusterd::core;

namespace {

using Seat = Balancer::Seat;
using config::Policy;

constexpr TimePoint kNow{};

/// `count` workers in slots 0, 1, ..., all serving listener 0.
std::vector<Seat> join_all(Balancer& balancer, std::uint32_t count, std::uint32_t window = 1024) {
  std::vector<Seat> seats;
  for (std::uint32_t slot = 0; slot < count; ++slot) {
    seats.push_back(balancer.join(window, SlotId{slot}));
    balancer.serve(seats.back(), 0);
  }
  return seats;
}

void take_all(Balancer& balancer, Seat seat) {
  OfferLedger& ledger = balancer.ledger(seat);
  REQUIRE(ledger.claim(ledger.sent(), kNow).has_value());
}

std::optional<Seat> least(Balancer& balancer) {
  return balancer.next({0, Policy::least_connections, 0}, kNow);
}

std::optional<Seat> sticky(Balancer& balancer, std::uint64_t client) {
  return balancer.next({0, Policy::sticky, client}, kNow);
}

/// Whose each of `clients` clients is.
std::vector<Seat> owners(Balancer& balancer, std::uint64_t clients) {
  std::vector<Seat> result;
  for (std::uint64_t client = 0; client < clients; ++client) {
    const auto seat = sticky(balancer, client);
    REQUIRE(seat);
    take_all(balancer, *seat);
    result.push_back(*seat);
  }
  return result;
}

}  // namespace

TEST_CASE("least-connections gives to the fewest, open and on the way together") {
  Balancer balancer;
  const auto seats = join_all(balancer, 3);
  balancer.claim_active(seats[0], 5);
  balancer.claim_active(seats[1], 2);
  balancer.claim_active(seats[2], 4);
  // 2 -> 4 by two offers; then 1 and 2 are equal at 4 and take turns, until all are at 5.
  std::map<Seat, int> given;
  for (int i = 0; i < 4; ++i) ++given[*least(balancer)];
  CHECK(given[seats[0]] == 0);
  CHECK(given[seats[1]] == 3);
  CHECK(given[seats[2]] == 1);
  for (int i = 0; i < 30; ++i) ++given[*least(balancer)];
  CHECK(5 + given[seats[0]] == 2 + given[seats[1]]);
}

TEST_CASE("least-connections among equals takes turns") {
  Balancer balancer;
  const auto seats = join_all(balancer, 4);
  std::map<Seat, int> given;
  for (int i = 0; i < 400; ++i) {
    const auto seat = least(balancer);
    take_all(balancer, *seat);
    ++given[*seat];
  }
  for (const Seat seat : seats) CHECK(given[seat] == 100);
}

TEST_CASE("a worker that claims more than there can be is only given less") {
  Balancer balancer;
  const auto seats = join_all(balancer, 2);
  balancer.claim_active(seats[0], ~0U);
  for (int i = 0; i < 100; ++i) CHECK(least(balancer) == seats[1]);
}

TEST_CASE("a sticky client keeps its worker, and clients are spread over all") {
  Balancer balancer;
  const auto seats = join_all(balancer, 4);
  const auto first = owners(balancer, 4000);
  CHECK(owners(balancer, 4000) == first);
  for (const Seat seat : seats) {
    const auto share = std::count(first.begin(), first.end(), seat);
    CHECK(share > 850);
    CHECK(share < 1150);
  }
}

TEST_CASE("a sticky client waits for its worker when that is full, and has another without it") {
  Balancer balancer;
  const auto seats = join_all(balancer, 3, 2);
  const Seat own = *sticky(balancer, 7);
  CHECK(sticky(balancer, 7) == own);
  CHECK_FALSE(sticky(balancer, 7));
  CHECK(balancer.anyone(0));
  balancer.retire(own);
  const auto meanwhile = sticky(balancer, 7);
  REQUIRE(meanwhile);
  CHECK(*meanwhile != own);
}

TEST_CASE("the replacement in a slot has the sticky clients of the one before") {
  Balancer balancer;
  const auto seats = join_all(balancer, 4);
  const auto before = owners(balancer, 500);
  balancer.leave(seats[2]);
  const Seat again = balancer.join(1024, SlotId{2});
  balancer.serve(again, 0);
  REQUIRE(again == seats[2]);
  CHECK(owners(balancer, 500) == before);
}

TEST_CASE("a new slot takes its share of sticky clients, and no other client moves") {
  Balancer balancer;
  join_all(balancer, 4);
  const auto before = owners(balancer, 4000);
  const Seat fifth = balancer.join(1024, SlotId{4});
  balancer.serve(fifth, 0);
  const auto after = owners(balancer, 4000);
  int moved = 0;
  for (std::size_t client = 0; client < before.size(); ++client) {
    if (before[client] == after[client]) continue;
    ++moved;
    CHECK(after[client] == fifth);
  }
  CHECK(moved > 600);
  CHECK(moved < 1000);
}

TEST_CASE("max_connections bounds what is open and on the way together, in every policy") {
  for (const Policy policy : {Policy::round_robin, Policy::least_connections, Policy::sticky}) {
    CAPTURE(static_cast<int>(policy));
    Balancer balancer(5);
    const auto seats = join_all(balancer, 1, 16);
    balancer.claim_active(seats[0], 3);
    const Arrival arrival{0, policy, 1};
    CHECK(balancer.next(arrival, kNow));
    CHECK_FALSE(balancer.at_limit(seats[0]));
    CHECK(balancer.next(arrival, kNow));
    CHECK(balancer.at_limit(seats[0]));
    CHECK_FALSE(balancer.next(arrival, kNow));
    CHECK_FALSE(balancer.anyone(0));
    CHECK(balancer.served(0));
    balancer.claim_active(seats[0], 2);
    CHECK(balancer.next(arrival, kNow));
    CHECK_FALSE(balancer.next(arrival, kNow));
  }
}

TEST_CASE("a worker at max_connections is owed no turn") {
  Balancer balancer(4);
  const auto seats = join_all(balancer, 2, 16);
  balancer.claim_active(seats[0], 4);
  for (int i = 0; i < 3; ++i) {
    CHECK(balancer.next({0}, kNow) == seats[1]);
    take_all(balancer, seats[1]);
  }
  balancer.claim_active(seats[0], 0);
  int first = 0;
  for (int i = 0; i < 4; ++i) {
    const auto seat = balancer.next({0}, kNow);
    REQUIRE(seat);
    take_all(balancer, *seat);
    if (*seat == seats[0]) ++first;
  }
  CHECK(first == 2);
}
