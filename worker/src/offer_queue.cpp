#include "worker/src/offer_queue.h"

#include "common/fd_passing.h"

#include <span>

namespace clusterd::detail {

using handoff::Window;

OfferQueue::Received OfferQueue::receive() {
  handoff::Message message;
  auto received = receive_with_fds(socket_.get(), std::as_writable_bytes(std::span(&message, 1)),
                                   handoff::kMaxBatch);
  if (!received) {
    const auto& code = received.error().code;
    if (code == std::errc::resource_unavailable_try_again) return Received::nothing;
    return Received::ended;  // the master died with something of ours unread
  }
  if (received->bytes == 0) return Received::ended;
  const handoff::MessageHeader& header = message.header;
  if (received->bytes < sizeof header || header.count > handoff::kMaxBatch ||
      received->bytes != message.size() || header.first_sequence != next_sequence_) {
    return Received::malformed;
  }
  next_sequence_ += header.count;
  for (std::uint32_t at = 0; at < received->fds.size() && at < header.count; ++at) {
    queue_.push_back(
        {std::move(received->fds[at]), message.offers[at], header.first_sequence + at});
  }
  if (received->fds.size() >= header.count) return Received::offers;
  refused_from_ = header.first_sequence + static_cast<std::uint32_t>(received->fds.size());
  if (handoff::before(refused_from_, window().limit)) return Received::lacking;
  dropped_some_ = true;  // the master took them back meanwhile: thrown away before they came
  return Received::offers;
}

std::optional<std::uint32_t> OfferQueue::front() {
  while (!queue_.empty()) {
    const Window now = window();
    const std::uint32_t sequence = queue_.front().sequence;
    const bool ours = now.taken == sequence && handoff::before(sequence, now.limit);
    if (ours) return queue_.front().offer.listener;
    // Behind one that never arrived: ours as soon as the master has taken all of them back.
    if (handoff::before(now.taken, sequence) && handoff::before(now.taken, now.limit)) break;
    drop_front();
  }
  if (queue_.empty() && dropped_some_) publish_dropped();
  return std::nullopt;
}

std::optional<Offered> OfferQueue::take() {
  const std::uint32_t sequence = queue_.front().sequence;
  std::uint64_t word = tally_->page->window.load();
  for (;;) {
    Window next = Window::unpack(word);
    if (next.taken != sequence || !handoff::before(sequence, next.limit)) return std::nullopt;
    ++next.taken;
    if (tally_->page->window.compare_exchange_weak(word, next.pack())) break;
  }
  Offered taken = std::move(queue_.front());
  queue_.pop_front();
  if (tally_->page->want_wake.load() == handoff::wake::kAtTake) tally_->notify_master();
  return taken;
}

void OfferQueue::revoked() {
  dropped_some_ = true;
  (void)front();
}

Window OfferQueue::window() const { return Window::unpack(tally_->page->window.load()); }

void OfferQueue::drop_front() {
  queue_.pop_front();
  dropped_some_ = true;
}

/// Everything received so far is taken or thrown away, so the master may offer again.
void OfferQueue::publish_dropped() {
  dropped_some_ = false;
  tally_->page->dropped.store(next_sequence_);
  tally_->notify_master();
}

}  // namespace clusterd::detail
