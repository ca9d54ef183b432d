#include "master/core/balancer.h"

#include <algorithm>

namespace clusterd::core {

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

void Balancer::leave(Seat seat) { seats_[index(seat)] = Place{}; }

std::optional<Balancer::Seat> Balancer::next(ListenerIndex listener, TimePoint now) {
  std::size_t& turn = turns_[listener];
  for (std::size_t tried = 0; tried < seats_.size(); ++tried) {
    const std::size_t at = turn < seats_.size() ? turn : 0;
    turn = at + 1;
    if (seats_[at].can_take(bit(listener))) {
      seats_[at].ledger->offer(now);
      return static_cast<Seat>(at);
    }
  }
  return std::nullopt;
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
