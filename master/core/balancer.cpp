#include "master/core/balancer.h"

#include <algorithm>

namespace clusterd::core {
namespace {

/// Turns that a worker can be owed: four windows of the default size.
constexpr std::uint8_t kMostOwed = 64;

/// Spreads a number over all 64 bits; neighbours have nothing in common. (The finalizer of the
/// splitmix64 generator.)
std::uint64_t mix(std::uint64_t value) {
  value += 0x9E37'79B9'7F4A'7C15ULL;
  value = (value ^ (value >> 30)) * 0xBF58'476D'1CE4'E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D0'49BB'1331'11EBULL;
  return value ^ (value >> 31);
}

}  // namespace

Balancer::Seat Balancer::join(std::uint32_t window, SlotId slot) {
  auto free = std::find_if(seats_.begin(), seats_.end(),
                           [](const Place& place) { return !place.ledger.has_value(); });
  if (free == seats_.end()) free = seats_.insert(seats_.end(), Place{});
  free->ledger.emplace(window);
  free->slot = slot;
  return static_cast<Seat>(free - seats_.begin());
}

void Balancer::serve(Seat seat, ListenerIndex listener) {
  seats_[index(seat)].serves |= bit(listener);
}

void Balancer::serve_no_more(Seat seat, ListenerIndex listener) {
  Place& place = seats_[index(seat)];
  place.serves &= ~bit(listener);
  rotations_[listener].owed -= place.owed[listener];
  place.owed[listener] = 0;
}

void Balancer::retire(Seat seat) {
  Place& place = seats_[index(seat)];
  place.retired = true;
  for (std::size_t at = 0; at < kMaxListeners; ++at) rotations_[at].owed -= place.owed[at];
  place.owed.fill(0);
}

void Balancer::leave(Seat seat) {
  retire(seat);
  seats_[index(seat)] = Place{};
}

bool Balancer::at_limit(Seat seat) const {
  const Place& place = seats_[index(seat)];
  return max_connections_ > 0 && load(place) >= max_connections_;
}

std::optional<Balancer::Seat> Balancer::next(const Arrival& arrival, TimePoint now) {
  std::optional<std::size_t> at;
  switch (arrival.policy) {
    case config::Policy::round_robin:
    case config::Policy::accept_race:  // what a dead race left behind, if ever: anybody's
      at = next_turn(arrival.listener);
      break;
    case config::Policy::least_connections:
      at = least_loaded(arrival.listener);
      break;
    case config::Policy::sticky:
      at = sticky(arrival);
      break;
  }
  if (!at) return std::nullopt;
  seats_[*at].ledger->offer(now);
  return static_cast<Seat>(*at);
}

std::optional<std::size_t> Balancer::next_turn(ListenerIndex listener) {
  Rotation& rotation = rotations_[listener];
  if (rotation.owed > 0) {
    if (const auto at = make_up(listener)) return at;
  }
  const std::size_t count = seats_.size();
  for (std::size_t tried = 0; tried < count; ++tried) {
    const std::size_t at = (rotation.turn + tried) % count;
    if (!can_take(seats_[at], bit(listener))) continue;
    // Nobody is owed for a connection that nobody could take, so only now.
    for (std::size_t passed = 0; passed < tried; ++passed) {
      pass_over(seats_[(rotation.turn + passed) % count], listener);
    }
    rotation.turn = (at + 1) % count;
    return at;
  }
  return std::nullopt;
}

/// The turns that were missed, before anybody's next.
std::optional<std::size_t> Balancer::make_up(ListenerIndex listener) {
  for (std::size_t at = 0; at < seats_.size(); ++at) {
    Place& place = seats_[at];
    if (place.owed[listener] == 0 || !can_take(place, bit(listener))) continue;
    --place.owed[listener];
    --rotations_[listener].owed;
    return at;
  }
  return std::nullopt;
}

/// Only a full window is owed for. One that is stalled or refused is not late, it is absent; and
/// one at max_connections has all that it may.
void Balancer::pass_over(Place& place, ListenerIndex listener) {
  if (!serves(place, bit(listener)) || place.ledger->state() != OfferLedger::State::open) return;
  if (place.ledger->credit() > 0) return;
  if (place.owed[listener] >= kMostOwed) return;
  ++place.owed[listener];
  ++rotations_[listener].owed;
}

std::optional<std::size_t> Balancer::least_loaded(ListenerIndex listener) {
  Rotation& rotation = rotations_[listener];
  const std::size_t count = seats_.size();
  std::optional<std::size_t> best;
  for (std::size_t tried = 0; tried < count; ++tried) {
    const std::size_t at = (rotation.turn + tried) % count;
    if (!can_take(seats_[at], bit(listener))) continue;
    if (!best || load(seats_[at]) < load(seats_[*best])) best = at;
  }
  if (best) rotation.turn = (*best + 1) % count;
  return best;
}

std::optional<std::size_t> Balancer::sticky(const Arrival& arrival) const {
  std::optional<std::size_t> best;
  std::uint64_t highest = 0;
  for (std::size_t at = 0; at < seats_.size(); ++at) {
    const Place& place = seats_[at];
    if (!serves(place, bit(arrival.listener))) continue;
    // Away, not late: what it holds of its clients it does not serve now.
    if (place.ledger->state() == OfferLedger::State::revoked) continue;
    // It was asked, and does not want this one.
    if (place.ledger->declines()) continue;
    const std::uint64_t weight = mix(arrival.client ^ mix(number_of(place.slot)));
    if (best && weight <= highest) continue;
    best = at;
    highest = weight;
  }
  if (best && !can_take(seats_[*best], bit(arrival.listener))) return std::nullopt;
  return best;
}

bool Balancer::anyone(ListenerIndex listener) const {
  return std::any_of(seats_.begin(), seats_.end(),
                     [&](const Place& place) { return can_take(place, bit(listener)); });
}

bool Balancer::served(ListenerIndex listener) const {
  return std::any_of(seats_.begin(), seats_.end(),
                     [&](const Place& place) { return serves(place, bit(listener)); });
}

bool Balancer::anyone_but(Seat seat, std::uint64_t listeners) const {
  for (std::size_t at = 0; at < seats_.size(); ++at) {
    const std::uint64_t these = seats_[at].serves & listeners;
    if (at != index(seat) && these != 0 && can_take(seats_[at], these)) return true;
  }
  return false;
}

bool Balancer::serves(const Place& place, std::uint64_t listeners) const {
  return place.ledger && !place.retired && (place.serves & listeners) == listeners;
}

bool Balancer::can_take(const Place& place, std::uint64_t listeners) const {
  if (!serves(place, listeners) || place.ledger->credit() == 0) return false;
  return max_connections_ == 0 || load(place) < max_connections_;
}

/// Those that it says it holds, and those that are on their way to it: a worker with many open ones
/// and none on the way is not as free as one with none at all. A false claim changes only what this
/// worker gets.
std::uint32_t Balancer::load(const Place& place) const {
  const std::uint32_t pending = place.ledger->pending();
  return place.active > ~0U - pending ? ~0U : place.active + pending;
}

}  // namespace clusterd::core
