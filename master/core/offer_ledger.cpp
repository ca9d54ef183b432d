#include "master/core/offer_ledger.h"

#include <cassert>

namespace clusterd::core {

void OfferLedger::offer(TimePoint now) {
  assert(credit() > 0);
  if (pending() == 0) progress_at_ = now;
  ++sent_;
}

void OfferLedger::withdraw(std::uint32_t count) {
  assert(count <= pending());
  sent_ -= count;
}

void OfferLedger::mark_full() {
  if (state_ == State::open) state_ = State::full;
}

void OfferLedger::retry() {
  if (state_ == State::full) state_ = State::open;
}

std::optional<std::uint32_t> OfferLedger::claim(std::uint32_t taken, TimePoint now) {
  const std::uint32_t more = taken - taken_;
  if (more > pending()) return std::nullopt;
  if (more == 0) return 0;
  taken_ = taken;
  taken_in_all_ += more;
  progress_at_ = now;
  retry();
  return more;
}

std::uint32_t OfferLedger::revoke() {
  const std::uint32_t back = pending();
  taken_ = sent_;  // the next offer's number is `sent`, whoever serves those in between
  if (back > 0 && state_ != State::ended) state_ = State::revoked;
  return back;
}

bool OfferLedger::dropped(std::uint32_t sequence) {
  if (state_ != State::revoked || sequence != sent_) return false;
  state_ = State::open;
  return true;
}

}  // namespace clusterd::core
