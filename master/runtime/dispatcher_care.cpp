// What goes wrong on the data path: workers that stall, lie or are full, and a machine that is
// short of something.
#include "master/runtime/dispatcher.h"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace clusterd::runtime {
namespace {

constexpr auto kRetry = std::chrono::milliseconds(5);

}  // namespace

void Dispatcher::watch_stalls() {
  if (stall_timer_runs_ || options_.stall_timeout == Duration::zero()) return;
  const bool pending = std::any_of(by_seat_.begin(), by_seat_.end(), [this](Member* member) {
    return member != nullptr && ledger(*member).pending() > 0;
  });
  if (!pending) return;
  stall_timer_runs_ = true;
  stall_timer_.expires_after(options_.stall_timeout / 4);
  stall_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    stall_timer_runs_ = false;
    check_stalls();
    turn();
  });
}

/// A worker that takes nothing keeps nothing from the others.
void Dispatcher::check_stalls() {
  const TimePoint now = Clock::now();
  for (Member* member : by_seat_) {
    if (member == nullptr || !member->in_rotation) continue;
    // The page first: we may have been the ones who were stopped.
    collect_one(*member, now);
    if (!ledger(*member).stalled(now, options_.stall_timeout)) continue;
    if (!balancer_.anyone_but(*member->seat)) continue;
    const std::uint32_t count = ledger(*member).pending();
    take_back(*member, now);
    events_.stalled(member->child, count);
  }
}

void Dispatcher::take_back(Member& member, TimePoint now) {
  const core::OfferLedger& books = ledger(member);
  // Once is enough: after it the page does not say any more what the worker took of ours.
  if (books.state() == core::OfferLedger::State::revoked) return;
  if (books.state() == core::OfferLedger::State::ended && books.pending() == 0) return;
  if (!member.lane.revoke(ledger(member), now, waiting_) && !member.broken) {
    break_off(member, "it says that it took connections which it was not offered");
  }
}

void Dispatcher::break_off(Member& member, std::string how) {
  member.broken = true;
  if (member.seat) ledger(member).end();
  // Not from here: the answer changes the members that a turn is walking over.
  boost::asio::post(io_, [this, child = member.child, how = std::move(how)] {
    events_.broke_protocol(child, how);
  });
}

void Dispatcher::retry_soon() {
  if (retry_timer_runs_) return;
  retry_timer_runs_ = true;
  retry_timer_.expires_after(kRetry);
  retry_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    retry_timer_runs_ = false;
    for (Member* member : by_seat_) {
      if (member != nullptr) ledger(*member).retry();
    }
    turn();
  });
}

/// Somebody is out of descriptors or memory: to go on at once would only spin.
void Dispatcher::turn_after_pause() {
  if (pause_timer_runs_) return;
  pause_timer_runs_ = true;
  pause_timer_.expires_after(kPause);
  pause_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    pause_timer_runs_ = false;
    for (Source& source : sources_) source.paused = false;
    const TimePoint now = Clock::now();
    for (const Member* member : by_seat_) {
      if (member != nullptr && member->closed_until > now) turn_after_pause();
    }
    turn();
  });
}

}  // namespace clusterd::runtime
