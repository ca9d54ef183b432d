// Workers join, serve, take, lie, are revoked, retire and leave in any order: each connection goes
// to the one that a plain model of the policies names.
#include "master/core/balancer.h"
#include "tests/fuzz/fuzz.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace clusterd::fuzz {
namespace {

using config::Policy;
using core::Arrival;
using core::Balancer;
using core::ListenerIndex;
using core::OfferLedger;
using Seat = Balancer::Seat;

constexpr std::size_t kMostSeats = 6;
constexpr std::uint32_t kSlots = 8;
constexpr std::uint32_t kMostOwed = 64;
constexpr TimePoint kNow{std::chrono::hours(1)};
/// The last is where a shift could go wrong.
constexpr std::pair<ListenerIndex, Policy> kListeners[] = {{0, Policy::round_robin},
                                                           {1, Policy::least_connections},
                                                           {2, Policy::sticky},
                                                           {63, Policy::round_robin}};

class Model {
 public:
  explicit Model(Decisions& decisions)
      : decisions_(decisions), most_(decisions.pick(8)), balancer_(most_) {}

  void step() {
    switch (decisions_.pick(14)) {
      case 0:
        return join();
      case 1:
        return leave();
      case 2:
        return retire();
      case 3:
      case 4:
        return serve();
      case 5:
        return take();
      case 6:
        return revoke();
      case 7:
        return drop();
      case 8:
        return fill();
      case 9:
        return claim_active();
      default:
        return offer();
    }
  }

  void must_be_equal() const {
    for (const auto& [listener, policy] : kListeners) {
      const auto all = seats_if([&](Seat seat) { return serves(seat, listener); });
      const auto able = seats_if([&](Seat seat) { return can_take(seat, listener); });
      must(balancer_.served(listener) == !all.empty(), "served() tells who is there");
      must(balancer_.anyone(listener) == !able.empty(), "anyone() tells who has credit");
    }
    for (const auto& [seat, member] : members_) {
      must(balancer_.at_limit(seat) == is_at_limit(seat), "at_limit() tells who has enough");
      for (const auto& [listener, policy] : kListeners) {
        const auto others = seats_if([&, one = seat, its = listener](Seat other) {
          return other != one && can_take(other, its);
        });
        must(balancer_.anyone_but(seat, std::uint64_t{1} << listener) == !others.empty(),
             "anyone_but() tells who else could");
      }
    }
  }

 private:
  struct Member {
    SlotId slot{};
    bool retired = false;
    std::uint32_t active = 0;
    std::set<ListenerIndex> serves;
    std::map<ListenerIndex, std::uint32_t> owed;
  };
  /// A client, and those that could be its own.
  struct Choice {
    std::uint64_t client = 0;
    std::set<SlotId> among;
    SlotId chosen{};
  };

  template <typename Predicate>
  [[nodiscard]] std::vector<Seat> seats_if(Predicate holds) const {
    std::vector<Seat> seats;
    for (const auto& [seat, member] : members_) {
      if (holds(seat)) seats.push_back(seat);
    }
    return seats;
  }

  /// The highest claims are all the same.
  [[nodiscard]] std::uint64_t load(Seat seat) const {
    const std::uint64_t sum = std::uint64_t{members_.at(seat).active} + pending(seat);
    return std::min(sum, std::uint64_t{~0U});
  }
  [[nodiscard]] std::uint32_t pending(Seat seat) const { return balancer_.ledger(seat).pending(); }
  [[nodiscard]] bool is_at_limit(Seat seat) const { return most_ > 0 && load(seat) >= most_; }
  [[nodiscard]] bool has_room(Seat seat) const {
    return !members_.at(seat).retired && balancer_.ledger(seat).credit() > 0 && !is_at_limit(seat);
  }
  [[nodiscard]] bool serves(Seat seat, ListenerIndex listener) const {
    const Member& member = members_.at(seat);
    return !member.retired && member.serves.count(listener) > 0;
  }
  [[nodiscard]] bool can_take(Seat seat, ListenerIndex listener) const {
    return serves(seat, listener) && has_room(seat);
  }

  void offer() {
    const auto [listener, policy] = pick_listener();
    const Arrival arrival{listener, policy, decisions_.pick(4)};
    if (policy == Policy::sticky) return offer_sticky(arrival);
    const auto able = seats_if([&](Seat seat) { return can_take(seat, arrival.listener); });
    if (able.empty()) return must(!balancer_.next(arrival, kNow), "nobody can take it");
    if (policy == Policy::least_connections) {
      must_get(arrival, least_loaded(arrival.listener, able));
    } else if (const auto late = first_owed(arrival.listener, able)) {
      --members_.at(*late).owed.at(arrival.listener);
      must_get(arrival, *late);
    } else {
      must_get(arrival, next_turn(arrival.listener));
    }
  }

  void must_get(const Arrival& arrival, Seat seat) {
    const std::uint32_t before = pending(seat);
    must(balancer_.next(arrival, kNow) == seat, "it goes to whom the policy names");
    must(pending(seat) == before + 1, "who gets it is charged with it");
  }

  [[nodiscard]] std::optional<Seat> first_owed(ListenerIndex listener,
                                               const std::vector<Seat>& able) const {
    for (const Seat seat : able) {
      const auto owed = members_.at(seat).owed.find(listener);
      if (owed != members_.at(seat).owed.end() && owed->second > 0) return seat;
    }
    return std::nullopt;
  }

  /// The first from the turn on that can take it. Those before it with a full window are owed one.
  Seat next_turn(ListenerIndex listener) {
    std::size_t& turn = turns_[listener];
    for (;; turn = (turn + 1) % seats_) {
      const Seat seat{static_cast<std::uint32_t>(turn % seats_)};
      if (members_.count(seat) == 0 || !serves(seat, listener)) continue;
      const OfferLedger& ledger = balancer_.ledger(seat);
      if (has_room(seat)) {
        turn = (turn + 1) % seats_;
        return seat;
      }
      if (ledger.state() != OfferLedger::State::open || ledger.credit() > 0) continue;
      std::uint32_t& owed = members_.at(seat).owed[listener];
      owed = std::min(owed + 1, kMostOwed);
    }
  }

  /// Of equals, the first from the turn on.
  Seat least_loaded(ListenerIndex listener, const std::vector<Seat>& able) {
    std::size_t& turn = turns_[listener];
    const auto rank = [&](Seat seat) {
      return std::pair(load(seat), (static_cast<std::size_t>(seat) + seats_ - turn) % seats_);
    };
    const Seat least = *std::min_element(able.begin(), able.end(),
                                         [&](Seat a, Seat b) { return rank(a) < rank(b); });
    turn = (static_cast<std::size_t>(least) + 1) % seats_;
    return least;
  }

  /// Which slot a client has is a secret of the hash, but it keeps it as long as it is there.
  void offer_sticky(const Arrival& arrival) {
    const auto here = seats_if([&](Seat seat) {
      return serves(seat, arrival.listener) &&
             balancer_.ledger(seat).state() != OfferLedger::State::revoked;
    });
    std::set<SlotId> slots;
    for (const Seat seat : here) slots.insert(members_.at(seat).slot);
    const auto got = balancer_.next(arrival, kNow);
    for (const Seat seat : here) {
      const SlotId slot = members_.at(seat).slot;
      if (!is_known(arrival.client, slots, slot)) continue;
      const bool got_it = got == seat;
      const bool had_room = got_it || has_room(seat);
      must(got_it == had_room && got.has_value() == got_it, "a client keeps its slot");
    }
    if (!got) return;
    must(std::count(here.begin(), here.end(), *got) == 1, "only who is there gets it");
    choices_.push_back({arrival.client, std::move(slots), members_.at(*got).slot});
  }

  /// `slot` was this client's when it could choose among these, and maybe more.
  [[nodiscard]] bool is_known(std::uint64_t client, const std::set<SlotId>& slots,
                              SlotId slot) const {
    return std::any_of(choices_.begin(), choices_.end(), [&](const Choice& choice) {
      return choice.client == client && choice.chosen == slot &&
             std::includes(choice.among.begin(), choice.among.end(), slots.begin(), slots.end());
    });
  }

  void join() {
    const SlotId slot{decisions_.pick(kSlots)};
    const bool held = std::any_of(members_.begin(), members_.end(), [&](const auto& entry) {
      return entry.second.slot == slot && !entry.second.retired;
    });
    if (held || members_.size() == kMostSeats) return;
    const Seat seat = balancer_.join(1 + decisions_.pick(4), slot);
    must(members_.count(seat) == 0, "a seat is one worker's");
    members_[seat].slot = slot;
    seats_ = std::max(seats_, static_cast<std::size_t>(seat) + 1);
    must(seats_ <= kMostSeats, "a seat that was left is used again");
  }

  void leave() {
    if (members_.empty()) return;
    const Seat seat = pick_seat();
    balancer_.leave(seat);
    members_.erase(seat);
  }

  void retire() {
    if (members_.empty()) return;
    const Seat seat = pick_seat();
    balancer_.retire(seat);
    members_.at(seat).retired = true;
    members_.at(seat).owed.clear();
  }

  void serve() {
    if (members_.empty()) return;
    const Seat seat = pick_seat();
    const ListenerIndex listener = pick_listener().first;
    balancer_.serve(seat, listener);
    members_.at(seat).serves.insert(listener);
  }

  void take() {
    if (members_.empty()) return;
    OfferLedger& ledger = balancer_.ledger(pick_seat());
    (void)ledger.claim(ledger.taken() + decisions_.pick(4), kNow);
  }

  void revoke() {
    if (!members_.empty()) (void)balancer_.ledger(pick_seat()).revoke();
  }

  void drop() {
    if (members_.empty()) return;
    OfferLedger& ledger = balancer_.ledger(pick_seat());
    (void)ledger.dropped(ledger.sent());
  }

  void fill() {
    if (!members_.empty()) balancer_.ledger(pick_seat()).mark_full();
  }

  /// The last is a lie that must not overflow.
  void claim_active() {
    constexpr std::uint32_t kClaims[] = {0, 1, 2, 3, 5, 8, ~0U - 1, ~0U};
    if (members_.empty()) return;
    const Seat seat = pick_seat();
    const std::uint32_t active = kClaims[decisions_.pick(std::size(kClaims))];
    balancer_.claim_active(seat, active);
    members_.at(seat).active = active;
  }

  std::pair<ListenerIndex, Policy> pick_listener() {
    return kListeners[decisions_.pick(std::size(kListeners))];
  }

  Seat pick_seat() {
    const std::uint32_t steps = decisions_.pick(static_cast<std::uint32_t>(members_.size()));
    return std::next(members_.begin(), steps)->first;
  }

  Decisions& decisions_;
  std::uint32_t most_;
  Balancer balancer_;
  std::map<Seat, Member> members_;
  std::map<ListenerIndex, std::size_t> turns_;
  std::vector<Choice> choices_;
  std::size_t seats_ = 0;  ///< as many as there ever were at once
};

}  // namespace

void try_input(std::string_view input) {
  Decisions decisions(input);
  Model model(decisions);
  while (!decisions.none_left()) {
    model.step();
    model.must_be_equal();
  }
}

}  // namespace clusterd::fuzz
