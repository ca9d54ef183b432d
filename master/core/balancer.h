#pragma once

#include "common/ids.h"
#include "config/settings.h"
#include "master/core/offer_ledger.h"

#include <array>
#include <optional>
#include <vector>

namespace clusterd::core {

/// Index of a [[listen]] table, 0..kMaxListeners-1.
using ListenerIndex = std::uint32_t;
inline constexpr std::size_t kMaxListeners = 64;

/// A connection that somebody is to take.
struct Arrival {
  ListenerIndex listener = 0;
  config::Policy policy = config::Policy::round_robin;
  std::uint64_t client = 0;  ///< of its address; connections of one client have the same
};

/// Who gets the next connection. No allocation per connection.
///
/// round-robin: each listener has a strict rotation of its own over the workers that serve it. One
/// that has no credit when its turn comes is passed over, and owed that turn: it is made up for, as
/// the first, when it has credit again. So the counts stay exactly even while a window now and then
/// runs full, as it does under load. What is owed is bounded: a worker that is slower for good gets
/// less.
///
/// least-connections: the fewest open and offered ones, by the worker's own claim; those that are
/// equal take turns.
///
/// sticky: a client's address picks a slot, by rendezvous hashing: when the number of slots
/// changes, only the clients of the slots that come or go move. The slot's worker is waited for if
/// it is full; if there is none, the client's next slot serves meanwhile.
///
/// Credit is the worker's, over all its listeners: what its window and max_connections leave.
class Balancer {
 public:
  enum class Seat : std::uint32_t {};

  /// `max_connections` is per worker, open and offered; 0 = no limit.
  explicit Balancer(std::uint32_t max_connections = 0) : max_connections_(max_connections) {}

  void set_max_connections(std::uint32_t count) { max_connections_ = count; }

  /// A worker joins; it serves no listener yet.
  [[nodiscard]] Seat join(std::uint32_t window, SlotId slot);
  void serve(Seat seat, ListenerIndex listener);
  void serve_no_more(Seat seat, ListenerIndex listener);
  /// It goes on with what it has, and gets nothing more.
  void retire(Seat seat);
  /// The seat may be given to another worker.
  void leave(Seat seat);

  [[nodiscard]] OfferLedger& ledger(Seat seat) { return *seats_[index(seat)].ledger; }
  [[nodiscard]] const OfferLedger& ledger(Seat seat) const { return *seats_[index(seat)].ledger; }

  /// The worker says how many connections it holds.
  void claim_active(Seat seat, std::uint32_t active) { seats_[index(seat)].active = active; }
  /// It holds as many as it may.
  [[nodiscard]] bool at_limit(Seat seat) const;

  /// The seat for a connection, charged with one offer; nothing if it has to wait.
  [[nodiscard]] std::optional<Seat> next(const Arrival& arrival, TimePoint now);

  /// Somebody has credit for `listener`.
  [[nodiscard]] bool anyone(ListenerIndex listener) const;
  /// Somebody serves `listener`, with credit or without.
  [[nodiscard]] bool served(ListenerIndex listener) const;
  /// Somebody else could take what is taken back from `seat`, of one of `listeners` (a bit each) at
  /// least.
  [[nodiscard]] bool anyone_but(Seat seat, std::uint64_t listeners) const;

 private:
  struct Place {
    std::optional<OfferLedger> ledger;
    SlotId slot{};
    bool retired = false;
    std::uint32_t active = 0;  ///< a claim
    std::uint64_t serves = 0;  ///< one bit a listener
    std::array<std::uint8_t, kMaxListeners> owed{};
  };
  struct Rotation {
    std::size_t turn = 0;
    std::uint32_t owed = 0;  ///< over all seats
  };

  [[nodiscard]] static std::size_t index(Seat seat) { return static_cast<std::size_t>(seat); }
  [[nodiscard]] static std::uint64_t bit(ListenerIndex listener) {
    return std::uint64_t{1} << listener;
  }

  [[nodiscard]] bool serves(const Place& place, std::uint64_t listeners) const;
  [[nodiscard]] bool can_take(const Place& place, std::uint64_t listeners) const;
  [[nodiscard]] std::uint32_t load(const Place& place) const;
  [[nodiscard]] std::optional<std::size_t> next_turn(ListenerIndex listener);
  [[nodiscard]] std::optional<std::size_t> make_up(ListenerIndex listener);
  [[nodiscard]] std::optional<std::size_t> least_loaded(ListenerIndex listener);
  [[nodiscard]] std::optional<std::size_t> sticky(const Arrival& arrival) const;
  void pass_over(Place& place, ListenerIndex listener);

  std::uint32_t max_connections_;
  std::vector<Place> seats_;
  std::array<Rotation, kMaxListeners> rotations_{};
};

}  // namespace clusterd::core
