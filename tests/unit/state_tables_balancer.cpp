#include "master/core/balancer.h"
#include "tests/unit/state_tables.h"

#include <doctest/doctest.h>

#include <chrono>

namespace clusterd::core {
namespace {

using namespace std::chrono_literals;
using testing::StateName;
using testing::Step;

constexpr TimePoint kNow{1h};

const char* name_of(OfferLedger::State state) {
  switch (state) {
    case OfferLedger::State::open:
      return "open";
    case OfferLedger::State::full:
      return "full";
    case OfferLedger::State::revoked:
      return "revoked";
    case OfferLedger::State::ended:
      return "ended";
  }
  return "?";
}

struct LedgerWorld {
  OfferLedger ledger{2};

  [[nodiscard]] StateName state() const {
    return {static_cast<int>(ledger.state()), name_of(ledger.state())};
  }
  [[nodiscard]] std::string key() const { return state().name + std::to_string(ledger.pending()); }

  std::optional<Step> offer() {
    if (ledger.credit() == 0) return std::nullopt;
    ledger.offer(kNow);
    return Step{"offer", "one more is pending"};
  }

  std::optional<Step> withdraw() {
    if (ledger.pending() == 0) return std::nullopt;
    ledger.withdraw(1);
    return Step{"withdraw", "so many fewer were sent"};
  }

  std::optional<Step> claim() {
    if (ledger.pending() == 0) return std::nullopt;
    const auto freed = ledger.claim(ledger.taken() + 1, kNow);
    CHECK(freed == 1);
    return Step{"claim", "so many fewer are pending; their copies are closed"};
  }

  std::optional<Step> claim_nothing_new() {
    const auto freed = ledger.claim(ledger.taken(), kNow);
    CHECK(freed == 0);
    return Step{"claim, nothing new", ""};
  }

  std::optional<Step> lie() {
    const bool believed = ledger.claim(ledger.sent() + 1, kNow).has_value() ||
                          ledger.claim(ledger.taken() - 1, kNow).has_value();
    return Step{"claim, a lie", believed ? "it is believed" : "it is not believed"};
  }

  std::optional<Step> revoke() {
    const bool some = ledger.pending() > 0;
    const bool back = ledger.revoke() > 0;
    CHECK(ledger.pending() == 0);
    return Step{some ? "revoke" : "revoke, nothing pending",
                back ? "all that is pending is the master's again" : ""};
  }

  std::optional<Step> dropped(bool right) {
    const bool reopened = ledger.dropped(right ? ledger.sent() : ledger.sent() + 1);
    return Step{right ? "dropped" : "dropped, another sequence",
                reopened ? "the next offer may go out" : ""};
  }
};

/// One seat of a balancer, for two listeners.
struct SeatWorld {
  Balancer balancer{0};
  Balancer::Seat seat{};

  [[nodiscard]] StateName state() const {
    Balancer probe = balancer;
    if (probe.join(1, SlotId{}) == seat) return {0, "free"};
    if (probe.served(0) || probe.served(1)) return {2, "serving"};
    probe.serve(seat, 0);
    return probe.served(0) ? StateName{1, "joined"} : StateName{3, "retired"};
  }
  [[nodiscard]] std::string key() const {
    return state().name + std::to_string(balancer.served(0)) + std::to_string(balancer.served(1));
  }

  std::optional<Step> join() {
    if (state().name != "free") return std::nullopt;
    seat = balancer.join(1, SlotId{});
    return Step{"join", "an empty ledger"};
  }

  std::optional<Step> serve(ListenerIndex listener) {
    if (state().name == "free") return std::nullopt;
    const bool before = balancer.served(listener);
    balancer.serve(seat, listener);
    const bool more = balancer.served(listener) && !before;
    return Step{"serve", more ? "it is in this listener's rotation" : ""};
  }

  std::optional<Step> retire() {
    if (state().name == "free") return std::nullopt;
    const bool before = state().name == "retired";
    balancer.retire(seat);
    return Step{"retire", before ? "" : "no turn, and none is owed to it"};
  }

  std::optional<Step> leave() {
    if (state().name == "free") return std::nullopt;
    balancer.leave(seat);
    return Step{"leave", "the ledger is forgotten"};
  }
};

}  // namespace

testing::StateTable ledger_states() {
  using World = LedgerWorld;
  return testing::explore<World>(
      World{},
      {"offer", "withdraw", "mark_full", "retry", "claim", "claim, nothing new", "claim, a lie",
       "revoke", "revoke, nothing pending", "dropped", "dropped, another sequence", "end"},
      {[](World& it) { return it.offer(); }, [](World& it) { return it.withdraw(); },
       [](World& it) {
         it.ledger.mark_full();
         return std::optional(Step{"mark_full", ""});
       },
       [](World& it) {
         it.ledger.retry();
         return std::optional(Step{"retry", ""});
       },
       [](World& it) { return it.claim(); }, [](World& it) { return it.claim_nothing_new(); },
       [](World& it) { return it.lie(); }, [](World& it) { return it.revoke(); },
       [](World& it) { return it.dropped(true); }, [](World& it) { return it.dropped(false); },
       [](World& it) {
         it.ledger.end();
         return std::optional(Step{"end", ""});
       }});
}

testing::StateTable seat_states() {
  using World = SeatWorld;
  return testing::explore<World>(
      World{}, {"join", "serve", "retire", "leave"},
      {[](World& it) { return it.join(); }, [](World& it) { return it.serve(0); },
       [](World& it) { return it.serve(1); }, [](World& it) { return it.retire(); },
       [](World& it) { return it.leave(); }});
}

}  // namespace clusterd::core
