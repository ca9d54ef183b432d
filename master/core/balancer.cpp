#include "master/core/balancer.h"

#include <algorithm>

namespace clusterd::core {
namespace {

/// Turns that a worker can be owed: four windows of the default size.
constexpr std::uint8_t kMostOwed = 64;

}  // namespace

Balancer::Seat Balancer::join(std::uint32_t window) {
  auto free = std::find_if(seats_.begin(), seats_.end(),
                           [](const Place& place) { return !place.ledger.has_value(); });
  if (free == seats_.end()) free = seats_.insert(seats_.end(), Place{});
  free->ledger.emplace(window);
  return static_cast<Seat>(free - seats_.begin());
}

void Balancer::serve(Seat seat, ListenerIndex listener) {
  seats_[index(seat)].serves |= bit(listener);
}

void Balancer::leave(Seat seat) {
  Place& place = seats_[index(seat)];
  for (std::size_t at = 0; at < kMaxListeners; ++at) rotations_[at].owed -= place.owed[at];
  place = Place{};
}

std::optional<Balancer::Seat> Balancer::next(ListenerIndex listener, TimePoint now) {
  Rotation& rotation = rotations_[listener];
  if (rotation.owed > 0) {
    if (const auto seat = make_up(listener, now)) return seat;
  }
  const std::size_t count = seats_.size();
  for (std::size_t tried = 0; tried < count; ++tried) {
    const std::size_t at = (rotation.turn + tried) % count;
    if (!seats_[at].can_take(bit(listener))) continue;
    // Nobody is owed for a connection that nobody could take, so only now.
    for (std::size_t passed = 0; passed < tried; ++passed) {
      pass_over(seats_[(rotation.turn + passed) % count], listener);
    }
    rotation.turn = (at + 1) % count;
    seats_[at].ledger->offer(now);
    return static_cast<Seat>(at);
  }
  return std::nullopt;
}

/// The turns that were missed, before anybody's next.
std::optional<Balancer::Seat> Balancer::make_up(ListenerIndex listener, TimePoint now) {
  for (Place& place : seats_) {
    if (place.owed[listener] == 0 || !place.can_take(bit(listener))) continue;
    --place.owed[listener];
    --rotations_[listener].owed;
    place.ledger->offer(now);
    return static_cast<Seat>(&place - seats_.data());
  }
  return std::nullopt;
}

/// Only a full window is owed for. One that is stalled or refused is not late, it is absent.
void Balancer::pass_over(Place& place, ListenerIndex listener) {
  if (!place.ledger || (place.serves & bit(listener)) == 0) return;
  if (place.ledger->state() != OfferLedger::State::open) return;
  if (place.owed[listener] >= kMostOwed) return;
  ++place.owed[listener];
  ++rotations_[listener].owed;
}

bool Balancer::anyone(ListenerIndex listener) const {
  return std::any_of(seats_.begin(), seats_.end(),
                     [&](const Place& place) { return place.can_take(bit(listener)); });
}

bool Balancer::anyone_but(Seat seat) const {
  for (std::size_t at = 0; at < seats_.size(); ++at) {
    if (at != index(seat) && seats_[at].can_take(seats_[index(seat)].serves)) return true;
  }
  return false;
}

}  // namespace clusterd::core
