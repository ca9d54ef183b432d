#include "worker/src/outbox.h"

#include "common/fd_passing.h"

#include <algorithm>
#include <poll.h>
#include <utility>

namespace clusterd::detail {
namespace {

/// With what the socket holds, well below what the master takes for one receiver after it has told
/// that this is slow: a sender that heeds that loses nothing.
constexpr std::size_t kMostQueued = 256 * 1024;

void wait_writable(int fd, Duration most) {
  pollfd ready{fd, POLLOUT, 0};
  (void)::poll(&ready, 1,
               static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(most).count()));
}

}  // namespace

Outbox::Posted Outbox::post(std::string_view line) {
  const std::scoped_lock lock(mutex_);
  if (gone_) return Posted::gone;
  // A queue that is empty takes any line, so that one at the limit of a line can be sent at all.
  if (queue_.size() > sent_ && queue_.size() - sent_ + line.size() > kMostQueued) {
    was_full_ = true;
    return Posted::full;
  }
  queue_ += line;
  return Posted::queued;
}

Result<void> Outbox::say(std::string_view line) {
  constexpr Duration kTurn = std::chrono::seconds(1);
  const std::scoped_lock lock(mutex_);
  std::size_t left = put_first(line);
  while (!gone_) {
    const std::size_t before = queue_.size() - sent_;
    const bool all = write();
    const std::size_t wrote = before - (queue_.size() - sent_);
    if (wrote >= left && !gone_) return {};
    left -= wrote;
    if (!all) wait_writable(channel_, kTurn);
  }
  return make_error("the master is gone");
}

void Outbox::urge(std::string_view line) {
  const std::scoped_lock lock(mutex_);
  put_first(line);
  write();
}

void Outbox::put(std::string_view line) {
  const std::scoped_lock lock(mutex_);
  put_first(line);
}

/// After the rest of a line that is sent in part.
std::size_t Outbox::put_first(std::string_view line) {
  const bool in_a_line = sent_ > 0 && queue_[sent_ - 1] != '\n';
  const std::size_t begin = in_a_line ? queue_.find('\n', sent_) + 1 : sent_;
  const std::size_t at = std::max(begin, first_);
  queue_.insert(at, line);
  first_ = at + line.size();
  return first_ - sent_;
}

Outbox::Flushed Outbox::flush() {
  const std::scoped_lock lock(mutex_);
  Flushed flushed;
  flushed.waits = !write();
  if (was_full_ && queue_.size() - sent_ <= kMostQueued / 2) {
    was_full_ = false;
    flushed.has_room = true;
  }
  return flushed;
}

void Outbox::flush_for(Duration most) {
  const TimePoint end = Clock::now() + most;
  while (flush().waits && Clock::now() < end) wait_writable(channel_, end - Clock::now());
}

bool Outbox::write() {
  while (!gone_ && sent_ < queue_.size()) {
    const auto sent = send_with_fds(channel_, std::string_view(queue_).substr(sent_), {});
    if (sent) {
      sent_ += *sent;
    } else if (sent.error().code == std::errc::resource_unavailable_try_again) {
      // What was sent goes only when it is the larger part: moving the rest for every write would
      // cost more than the writes. Its last byte stays: it says whether a line was sent in part.
      if (sent_ > queue_.size() / 2) {
        const std::size_t gone = std::exchange(sent_, 1) - 1;
        queue_.erase(0, gone);
        first_ -= std::min(first_, gone);
      }
      return false;
    } else {
      gone_ = true;
    }
  }
  queue_.clear();
  sent_ = first_ = 0;
  return true;
}

}  // namespace clusterd::detail
