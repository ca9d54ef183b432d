// Workers join, serve, take, lie, are revoked and leave in any order: each connection goes to the
// one whose turn it is by a plain model of the rules.
#include "master/core/balancer.h"
#include "tests/fuzz/fuzz.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace clusterd::fuzz {
namespace {

using core::Balancer;
using core::ListenerIndex;
using core::OfferLedger;
using Seat = Balancer::Seat;

constexpr std::size_t kMostSeats = 6;
constexpr std::uint32_t kMostOwed = 64;
/// The first two and the last, where a shift could go wrong.
constexpr ListenerIndex kListeners[] = {0, 1, 63};
constexpr TimePoint kNow{std::chrono::hours(1)};

class Model {
 public:
  explicit Model(Decisions& decisions) : decisions_(decisions) {}

  void step() {
    switch (decisions_.pick(10)) {
      case 0:
        return join();
      case 1:
        return leave();
      case 2:
        return serve();
      case 3:
        return take();
      case 4:
        return revoke();
      case 5:
        return drop();
      case 6:
        return fill();
      default:
        return offer();
    }
  }

  void must_be_equal() const {
    for (const ListenerIndex listener : kListeners) {
      must(balancer_.anyone(listener) == expected(listener).has_value(),
           "anyone() tells of next()");
    }
    for (const auto& [seat, member] : members_) {
      const bool other = std::any_of(members_.begin(), members_.end(), [&](const auto& entry) {
        const auto& serves = entry.second.serves;
        return entry.first != seat && has_credit(entry.first) &&
               std::all_of(member.serves.begin(), member.serves.end(), [&](ListenerIndex one) {
                 return std::count(serves.begin(), serves.end(), one) > 0;
               });
      });
      must(balancer_.anyone_but(seat) == other, "anyone_but() knows who else could take it");
    }
  }

 private:
  struct Member {
    std::vector<ListenerIndex> serves;
    std::map<ListenerIndex, std::uint32_t> owed;
  };

  [[nodiscard]] bool has_credit(Seat seat) const { return balancer_.ledger(seat).credit() > 0; }

  [[nodiscard]] bool can_take(Seat seat, ListenerIndex listener) const {
    const auto found = members_.find(seat);
    if (found == members_.end() || !has_credit(seat)) return false;
    const auto& serves = found->second.serves;
    return std::count(serves.begin(), serves.end(), listener) > 0;
  }

  [[nodiscard]] Seat seat_at(std::size_t position) const {
    return static_cast<Seat>(position % seats_);
  }

  /// Who has the next turn: the first who is owed one, else the first from the turn on.
  [[nodiscard]] std::optional<Seat> expected(ListenerIndex listener) const {
    for (const auto& [seat, member] : members_) {
      const auto owed = member.owed.find(listener);
      if (owed != member.owed.end() && owed->second > 0 && can_take(seat, listener)) return seat;
    }
    for (std::size_t tried = 0; tried < seats_; ++tried) {
      const Seat seat = seat_at(turn(listener) + tried);
      if (can_take(seat, listener)) return seat;
    }
    return std::nullopt;
  }

  void offer() {
    const ListenerIndex listener = pick_listener();
    const auto expected_seat = expected(listener);
    std::vector<Seat> passed;
    if (expected_seat && members_.at(*expected_seat).owed[listener] == 0) {
      passed = pass_over(listener, *expected_seat);
    }
    const std::uint32_t credit = expected_seat ? balancer_.ledger(*expected_seat).credit() : 0;
    must(balancer_.next(listener, kNow) == expected_seat, "it is the turn of who gets it");
    if (!expected_seat) return;
    must(balancer_.ledger(*expected_seat).credit() == credit - 1, "a turn costs one credit");
    std::uint32_t& owed = members_.at(*expected_seat).owed[listener];
    if (owed > 0) --owed;
    for (const Seat seat : passed) {
      std::uint32_t& missed = members_.at(seat).owed[listener];
      missed = std::min(missed + 1, kMostOwed);
    }
  }

  /// Moves the turn on to after `seat`, and gives those whose turns were before it, who serve the
  /// listener and have only a full window.
  std::vector<Seat> pass_over(ListenerIndex listener, Seat seat) {
    std::vector<Seat> passed;
    std::size_t& at = turns_[listener];
    for (; seat_at(at) != seat; ++at) {
      const auto found = members_.find(seat_at(at));
      if (found == members_.end()) continue;
      const auto& serves = found->second.serves;
      if (std::count(serves.begin(), serves.end(), listener) == 0) continue;
      if (balancer_.ledger(found->first).state() != OfferLedger::State::open) continue;
      passed.push_back(found->first);
    }
    at = (at + 1) % seats_;
    return passed;
  }

  void join() {
    if (members_.size() == kMostSeats) return;
    const Seat seat = balancer_.join(1 + decisions_.pick(4));
    must(members_.try_emplace(seat).second, "a seat is one worker's");
    seats_ = std::max(seats_, static_cast<std::size_t>(seat) + 1);
    must(seats_ <= kMostSeats, "a seat that was left is used again");
  }

  void leave() {
    if (members_.empty()) return;
    const Seat seat = pick_seat();
    balancer_.leave(seat);
    members_.erase(seat);
  }

  void serve() {
    if (members_.empty()) return;
    const Seat seat = pick_seat();
    const ListenerIndex listener = pick_listener();
    balancer_.serve(seat, listener);
    members_.at(seat).serves.push_back(listener);
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

  [[nodiscard]] std::size_t turn(ListenerIndex listener) const {
    const auto found = turns_.find(listener);
    return found == turns_.end() ? 0 : found->second;
  }

  ListenerIndex pick_listener() { return kListeners[decisions_.pick(std::size(kListeners))]; }

  Seat pick_seat() {
    const std::uint32_t steps = decisions_.pick(static_cast<std::uint32_t>(members_.size()));
    return std::next(members_.begin(), steps)->first;
  }

  Decisions& decisions_;
  Balancer balancer_;
  std::map<Seat, Member> members_;
  std::map<ListenerIndex, std::size_t> turns_;
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
