#pragma once

#include "master/core/offer_ledger.h"

#include <array>
#include <optional>
#include <vector>

namespace clusterd::core {

/// Index of a [[listen]] table, 0..kMaxListeners-1.
using ListenerIndex = std::uint32_t;
inline constexpr std::size_t kMaxListeners = 64;

/// Whose turn it is. Each listener has a strict rotation of its own over the workers that serve it.
/// Credit is the worker's, over all its listeners. One that has none when its turn comes is passed
/// over, and owed that turn: it is made up for, as the first, when it has credit again. So the
/// counts stay exactly even while a window now and then runs full, as it does under load. What is
/// owed is bounded: a worker that is slower for good gets less. No allocation per connection.
class Balancer {
 public:
  enum class Seat : std::uint32_t {};

  /// A worker joins; it serves no listener yet.
  [[nodiscard]] Seat join(std::uint32_t window);
  void serve(Seat seat, ListenerIndex listener);
  /// The seat may be given to another worker.
  void leave(Seat seat);

  [[nodiscard]] OfferLedger& ledger(Seat seat) { return *seats_[index(seat)].ledger; }
  [[nodiscard]] const OfferLedger& ledger(Seat seat) const { return *seats_[index(seat)].ledger; }

  /// The next seat for a connection of `listener`, charged with one offer; nothing if nobody can
  /// take one now.
  [[nodiscard]] std::optional<Seat> next(ListenerIndex listener, TimePoint now);

  /// Somebody has credit for `listener`.
  [[nodiscard]] bool anyone(ListenerIndex listener) const;
  /// Somebody else could take what is taken back from `seat`, of every listener that it serves.
  [[nodiscard]] bool anyone_but(Seat seat) const;

 private:
  struct Place {
    std::optional<OfferLedger> ledger;
    std::uint64_t serves = 0;  ///< one bit a listener
    std::array<std::uint8_t, kMaxListeners> owed{};

    [[nodiscard]] bool can_take(std::uint64_t listeners) const {
      return ledger && (serves & listeners) == listeners && ledger->credit() > 0;
    }
  };

  [[nodiscard]] static std::size_t index(Seat seat) { return static_cast<std::size_t>(seat); }
  [[nodiscard]] static std::uint64_t bit(ListenerIndex listener) {
    return std::uint64_t{1} << listener;
  }

  struct Rotation {
    std::size_t turn = 0;
    std::uint32_t owed = 0;  ///< over all seats
  };

  [[nodiscard]] std::optional<Seat> make_up(ListenerIndex listener, TimePoint now);
  void pass_over(Place& place, ListenerIndex listener);

  std::vector<Place> seats_;
  std::array<Rotation, kMaxListeners> rotations_{};
};

}  // namespace clusterd::core
