#include "master/runtime/offer_lane.h"

#include "common/fd_passing.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace clusterd::runtime {
namespace {

using handoff::Window;

/// A worker writes the word once a take. One that changes it more often than this between our read
/// and our swap does nothing else, and wants to keep us here.
constexpr int kMostTries = 1000;

}  // namespace

Result<OfferLane> OfferLane::create(std::uint32_t window) {
  auto page = os::SharedPage::create();
  if (!page) return page.error();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
    return errno_error("make a connection socket");
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  UniqueFd wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake) return errno_error("make an eventfd");
  UniqueFd page_fd(::fcntl(page->fd(), F_DUPFD_CLOEXEC, 0));
  UniqueFd wake_copy(::fcntl(wake.get(), F_DUPFD_CLOEXEC, 0));
  if (!page_fd || !wake_copy) return errno_error("copy a descriptor");
  page->close_fd();
  return OfferLane(std::move(*page), std::move(ours), std::move(wake),
                   {std::move(theirs), std::move(page_fd), std::move(wake_copy)}, window);
}

void OfferLane::add(Accepted connection) {
  copies_.push_back(std::move(connection));
  ++unsent_;
}

Lane::Sent OfferLane::send(core::OfferLedger& ledger, std::deque<Accepted>& back) {
  while (unsent_ > 0) {
    const auto count =
        static_cast<std::uint32_t>(std::min<std::size_t>(unsent_, handoff::kMaxBatch));
    const std::uint32_t first = ledger.sent() - static_cast<std::uint32_t>(unsent_);
    const Sent result = send_batch(first, copies_.size() - unsent_, count);
    if (result != Sent::all) {
      ledger.withdraw(static_cast<std::uint32_t>(unsent_));
      // In their order, before whatever waits already: they have waited longest.
      for (; unsent_ > 0; --unsent_) {
        back.push_front(std::move(copies_.back()));
        copies_.pop_back();
      }
      return result;
    }
    unsent_ -= count;
  }
  return Sent::all;
}

Lane::Sent OfferLane::send_batch(std::uint32_t first_sequence, std::size_t at,
                                 std::uint32_t count) {
  handoff::Message message;
  std::array<int, handoff::kMaxBatch> fds;
  message.header = {first_sequence, count};
  for (std::uint32_t i = 0; i < count; ++i) {
    message.offers[i] = copies_[at + i].offer;
    fds[i] = copies_[at + i].fd.get();
  }
  // The limit is raised first: a worker that has the message must find that it may take.
  if (!set_limit(first_sequence + count)) return Sent::broken;
  const auto sent =
      send_with_fds(connections_.get(), {reinterpret_cast<const char*>(&message), message.size()},
                    {fds.data(), count});
  if (sent) return Sent::all;
  if (!set_limit(first_sequence)) return Sent::broken;
  const std::error_code& code = sent.error().code;
  // No room in the socket, or too many descriptors in flight for this user: both pass.
  const bool full = code == std::errc::resource_unavailable_try_again ||
                    code == std::errc::no_buffer_space || code == std::errc::too_many_files_open ||
                    code == std::errc::not_enough_memory ||
                    code == std::error_code(ETOOMANYREFS, std::system_category());
  return full ? Sent::full : Sent::broken;
}

bool OfferLane::set_limit(std::uint32_t limit) {
  std::uint64_t word = page_->window.load();
  for (int tries = 0; tries < kMostTries; ++tries) {
    Window window = Window::unpack(word);
    window.limit = limit;
    if (page_->window.compare_exchange_weak(word, window.pack())) return true;
  }
  return false;
}

std::optional<std::uint32_t> OfferLane::collect(core::OfferLedger& ledger, TimePoint now,
                                                std::deque<Accepted>& /*back*/) {
  const auto freed = ledger.claim(Window::unpack(page_->window.load()).taken, now);
  if (freed) close_copies(*freed);
  return freed;
}

void OfferLane::close_copies(std::uint32_t count) { copies_.erase_begin(count); }

std::uint64_t OfferLane::revocable() const {
  std::uint64_t listeners = 0;
  for (const Accepted& copy : copies_) listeners |= std::uint64_t{1} << copy.offer.listener;
  return listeners;
}

bool OfferLane::revoke(core::OfferLedger& ledger, TimePoint now, std::deque<Accepted>& back) {
  std::uint64_t word = page_->window.load();
  Window window;
  int tries = 0;
  do {
    window = Window::unpack(word);
    window.limit = window.taken;
  } while (!page_->window.compare_exchange_weak(word, window.pack()) && ++tries < kMostTries);
  // Those that were never sent it cannot throw away either: they count as never offered.
  ledger.withdraw(static_cast<std::uint32_t>(unsent_));
  // From here on the worker can take nothing more, so what it has taken is final.
  const auto freed = ledger.claim(window.taken, now);
  if (freed) close_copies(*freed);
  (void)ledger.revoke();
  unsent_ = 0;
  std::move(copies_.rbegin(), copies_.rend(), std::front_inserter(back));
  copies_.clear();
  return freed.has_value() && tries < kMostTries;
}

void OfferLane::reopen(const core::OfferLedger& ledger) {
  page_->window.store(Window{ledger.sent(), ledger.sent()}.pack());
}

void OfferLane::end() { ::shutdown(connections_.get(), SHUT_WR); }

void OfferLane::want_wake(std::uint32_t when) {
  if (when == handoff::wake::kNever && wake_wanted_ == handoff::wake::kNever) return;
  wake_wanted_ = when;
  page_->want_wake.store(when);
}

}  // namespace clusterd::runtime
