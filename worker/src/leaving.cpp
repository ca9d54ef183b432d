// How a worker leaves: its master ends it or is gone, or it leaves of its own accord.
#include "worker/src/complain.h"
#include "worker/src/epoll_tags.h"
#include "worker/src/worker_state.h"

#include <algorithm>
#include <exception>
#include <string>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

namespace clusterd::detail {
namespace {

/// By so much a worker that leaves of its own accord is earlier than its master's TERM.
constexpr Duration kBeforeTerm = std::chrono::milliseconds(250);

}  // namespace

void WorkerState::suicide(std::string_view reason) {
  if (!take_no_more()) return;
  if (!outbox) return;
  outbox->urge(encode(protocol::Suicide{std::string(reason)}));
  // The loop may have looked before: if the socket has no room it has to see that this waits.
  ::eventfd_write(tally->changed.get(), 1);
}

void WorkerState::escaped(const std::exception_ptr& exception) noexcept {
  try {
    const std::string what = text_of(exception);
    const char* again = suicidal ? " again: " : ": ";
    suicide(what);
    complain("an exception escaped a handler" + std::string(again) + what);
  } catch (...) {  // there is no memory to say why
    take_no_more();
  }
}

/// False if it has been said before.
bool WorkerState::take_no_more() noexcept {
  if (suicidal.exchange(true)) return false;
  // What it was offered before its master ended it is nobody else's: that it still takes.
  if (!tally->draining.exchange(true)) takes_nothing = true;
  ::eventfd_write(tally->changed.get(), 1);
  return true;
}

/// What of a suicide is for the thread that runs this.
void WorkerState::leave_of_own_accord() {
  if (leaves_by_itself) return;
  leaves_by_itself = true;
  const Duration earlier = managed ? std::min<Duration>(drain_time / 10, kBeforeTerm) : Duration{};
  leave_within(drain_time - earlier);
  if (offers) read_offers(true);  // it is told so what is taken back, and the end
  begin_drain();
}

void WorkerState::begin_drain() {
  if (draining) return;
  // The kernel wakes one worker for a connection, and no other if that goes without it.
  for (std::size_t at = 0; at < listeners.size(); ++at) {
    if (listeners[at]->armed) on_listening_socket(*listeners[at]);
  }
  draining = true;
  tally->draining.store(true);
  for (const auto& listener : listeners) {
    if (!listener->socket) continue;
    arm(*listener, false);
    listener->socket.reset();
  }
  if (drain_callback) guarded(drain_callback);
}

void WorkerState::master_is_gone() {
  if (orphaned) return;
  orphaned = true;
  ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, channel->fd(), nullptr);
  leave_within(drain_time);
  messages->master_is_gone();
  // What it offered before it died is still ours to take, and nobody else's: its copies are gone.
  begin_drain();
}

void WorkerState::leave_within(Duration time) {
  const TimePoint end = Clock::now() + time;
  if (leave_at && *leave_at <= end) return;
  leave_at = end;
  // Never read: from then on each dispatch() returns at once, and fd() is readable.
  const auto ns = std::max<std::int64_t>(1, std::chrono::nanoseconds(time).count());
  constexpr std::int64_t kSecond = 1'000'000'000;
  const itimerspec once{{0, 0}, {ns / kSecond, ns % kSecond}};
  ::timerfd_settime(deadline.get(), 0, &once, nullptr);
}

bool WorkerState::finished() const {
  if (leave_at && Clock::now() >= *leave_at) return true;
  if (!draining || tally->page->active.load() > 0 || runs->open()) return false;
  return !offers || (offers_ended && (takes_nothing || !offers->front()));
}

}  // namespace clusterd::detail
