#include "master/core/offer_ledger.h"

#include <algorithm>
#include <cassert>

namespace clusterd::core {
namespace {

/// The first and the last are at least a timeout apart.
constexpr unsigned kQuickLooks = 5;

}  // namespace

void OfferLedger::offer(TimePoint now) {
  assert(credit() > 0);
  offers_[place(pending())] = {now, pending()};
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
  declined_ = false;
}

std::optional<std::uint32_t> OfferLedger::claim(std::uint32_t taken, TimePoint now) {
  const std::uint32_t more = taken - taken_;
  if (more > pending()) return std::nullopt;
  if (more == 0) return 0;
  oldest_ = place(more);
  taken_ = taken;
  taken_in_all_ += more;
  took_at_ = now;
  retry();
  return more;
}

void OfferLedger::decline(std::uint32_t count) {
  assert(count <= pending());
  oldest_ = place(count);
  taken_ += count;
  mark_full();
  declined_ = true;
}

std::uint32_t OfferLedger::revoke() {
  const std::uint32_t back = pending();
  oldest_ = place(back);
  taken_ = sent_;  // the next offer's number is `sent`, whoever serves those in between
  if (back > 0 && state_ != State::ended) state_ = State::revoked;
  return back;
}

bool OfferLedger::dropped(std::uint32_t sequence) {
  if (state_ != State::revoked || sequence != sent_) return false;
  state_ = State::open;
  return true;
}

void OfferLedger::narrow() {
  if (pending() == 0) return;
  window_ = std::max(1U, std::min(window_, offers_[oldest_].ahead / 2));
  quick_looks_ = 0;
  taken_before_ = taken_in_all_;
}

void OfferLedger::look(TimePoint now, Duration timeout) {
  const auto widest = static_cast<std::uint32_t>(offers_.size());
  if (window_ == widest) return;
  quick_looks_ = age(now) > timeout / 4 ? 0 : quick_looks_ + 1;
  // One that was offered nothing, or takes nothing, has not shown that it is quick.
  if (quick_looks_ < kQuickLooks || taken_in_all_ - taken_before_ < window_) return;
  window_ = std::min(widest, window_ * 2);
  quick_looks_ = 0;
  taken_before_ = taken_in_all_;
}

}  // namespace clusterd::core
