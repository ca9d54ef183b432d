// What goes wrong on the data path: workers that stall, lie or are full, and a machine that is
// short of something.
#include "master/runtime/dispatcher.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <sys/socket.h>

namespace clusterd::runtime {
namespace {

constexpr auto kRetry = std::chrono::milliseconds(5);
/// For how long a copy of a connection that was taken may stay open when nothing else happens. It
/// costs a descriptor, no client.
constexpr auto kCopiesStay = std::chrono::milliseconds(50);
constexpr Duration kShortestLook = std::chrono::milliseconds(10);

/// The client sees a reset, not an answer without a word in it.
void reset_on_close(int fd) {
  const linger at_once{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace

/// Whether somebody waits for the room that a take makes.
bool Dispatcher::needs_room() const {
  return !waiting_.empty() ||
         std::any_of(handing_out_.begin(), handing_out_.end(), [this](core::ListenerIndex index) {
           const Source& source = sources_[index];
           return source.listener->is_open() && !source.paused && balancer_.served(index) &&
                  !may_accept(index);
         });
}

void Dispatcher::look_again_later() {
  if (copies_timer_runs_) return;
  copies_timer_runs_ = true;
  copies_timer_.expires_after(kCopiesStay);
  copies_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    copies_timer_runs_ = false;
    turn();
  });
}

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

/// A worker that takes nothing, or too slowly, keeps nothing from the others.
void Dispatcher::check_stalls() {
  const TimePoint now = Clock::now();
  // We were stopped, and perhaps everybody was: what is old now says nothing about the workers.
  if (now - stall_timer_.expiry() > options_.stall_timeout) return;
  for (Member* member : by_seat_) {
    if (member == nullptr || !member->in_rotation) continue;
    // The page first: we may have been the ones who were stopped.
    collect_one(*member, now);
    ledger(*member).look(now, options_.stall_timeout);
    if (!ledger(*member).stalled(now, options_.stall_timeout)) continue;
    if (!balancer_.anyone_but(*member->seat, member->lane->revocable())) continue;
    const std::size_t waited = waiting_.size();
    ledger(*member).narrow();
    take_back(*member, now);
    // What is in its hands already, by some protocols, stays there.
    if (waiting_.size() == waited) continue;
    events_.stalled(member->child, static_cast<std::uint32_t>(waiting_.size() - waited));
  }
}

void Dispatcher::take_back(Member& member, TimePoint now) {
  const core::OfferLedger& books = ledger(member);
  // Once is enough: after it the page does not say any more what the worker took of ours.
  if (books.state() == core::OfferLedger::State::revoked) return;
  if (books.state() == core::OfferLedger::State::ended && books.pending() == 0) return;
  if (!member.lane->revoke(ledger(member), now, waiting_) && !member.broken) {
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

bool Dispatcher::queue_grows_old(core::ListenerIndex index) const {
  const Source& source = sources_[index];
  return source.listener != nullptr && source.listener->is_open() &&
         source.queue_timeout > Duration::zero() && !serves(index) && !serves(heir_of(index));
}

/// Looks at the queues that nobody serves, eight times within the shortest queue_timeout.
void Dispatcher::watch_queues() {
  if (queue_timer_runs_) return;
  Duration pace = Duration::max();
  for (core::ListenerIndex index = 0; index < core::kMaxListeners; ++index) {
    if (queue_grows_old(index)) pace = std::min(pace, sources_[index].queue_timeout / 8);
  }
  if (pace == Duration::max()) return;
  queue_timer_runs_ = true;
  queue_timer_.expires_after(std::max<Duration>(pace, kShortestLook));
  queue_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    queue_timer_runs_ = false;
    const TimePoint now = Clock::now();
    for (core::ListenerIndex index = 0; index < core::kMaxListeners; ++index) {
      check_queue(index, now);
    }
    watch_queues();
  });
}

/// Resets those that have waited too long. Their clients are better told than left to hope.
void Dispatcher::check_queue(core::ListenerIndex index, TimePoint now) {
  Source& source = sources_[index];
  if (!queue_grows_old(index)) return source.ages.clear();
  const std::uint64_t before = source.expired;
  source.expired += std::erase_if(waiting_, [&](const Accepted& one) {
    const bool old = one.offer.listener == index && now - one.at >= source.queue_timeout;
    if (old) reset_on_close(one.fd.get());
    return old;
  });
  source.ages.look(now, source.accepted + source.listener->waiting());
  const std::uint64_t old = source.ages.older_than(now, source.queue_timeout);
  while (source.accepted < old) {
    const auto connection = accept_one(index);
    if (!connection) break;
    reset_on_close(connection->fd.get());
    ++source.expired;
  }
  if (source.expired > before) events_.expired(index, source.expired - before);
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
