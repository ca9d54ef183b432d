// How connections come to a worker: offered by the master, or accepted from a listening socket.
#include "worker/src/epoll_tags.h"
#include "worker/src/raise.h"
#include "worker/src/worker_state.h"

#include <algorithm>
#include <cerrno>
#include <netinet/in.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <utility>

namespace clusterd::detail {
namespace {

Peer to_peer(const handoff::Peer& from) {
  Peer peer;
  peer.family = from.family;
  peer.port = from.port;
  std::copy(std::begin(from.address), std::end(from.address), std::begin(peer.address));
  return peer;
}

/// What others of this machine, or this one in a while, may have.
bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

void WorkerState::on_offers() {
  const auto received = offers->receive();
  switch (received) {
    case OfferQueue::Received::nothing:
    case OfferQueue::Received::offers:
      break;
    case OfferQueue::Received::lacking:
      outbox->urge(encode(protocol::Refuse{offers->refused_from()}));
      break;
    case OfferQueue::Received::malformed:
    case OfferQueue::Received::ended:
      offers_ended = true;
      ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, offers->fd(), nullptr);
      give_out();
      begin_drain();
      if (received == OfferQueue::Received::malformed) {
        raise(make_error("the master's offer is malformed"));
      }
      return;
  }
  give_out();
}

/// Takes offers for as long as the oldest is asked for. The order of taking is the order of
/// offering, so one that nobody asks for holds up those behind it; the master then gives all of
/// them to others after its stall_timeout.
void WorkerState::give_out() {
  while (const auto index = offers->front()) {
    if (takes_nothing) return;  // the master's, which takes them back
    ListenerState* listener = by_index(*index);
    if (listener == nullptr || !listener->handler) return read_offers(false);
    auto taken = offers->take();
    if (taken) deliver(*listener, taken->fd.release(), to_peer(taken->offer.peer));
  }
}

/// In accept race, and on a socket of our own.
void WorkerState::on_listening_socket(ListenerState& listener) {
  if (!listener.handler || !listener.socket || takes_nothing) return;
  // In a burst, whoever is running finds the next connection before those that were woken for it
  // have got a CPU. They go first; with nobody else who could run this is one short call.
  if (managed) ::sched_yield();
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  const int fd = ::accept4(listener.socket.get(), reinterpret_cast<sockaddr*>(&address), &length,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {  // another worker was quicker, or the client is gone, or there is no room
    if (is_shortage(errno)) pause_accepting();
    return;
  }
  auto& accepted = tally->page->accepted[listener.index];
  accepted.store(accepted.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  // Out and in again puts this worker last in the kernel's queue of those that wait on the
  // listener. Left in place it would be woken first for the next connection too, and for all.
  if (managed) arm(listener, false);
  deliver(listener, fd, to_peer(handoff::to_peer(address)));
  if (listener.socket) arm(listener, listener.handler != nullptr);
}

void WorkerState::deliver(ListenerState& listener, int fd, const Peer& peer) {
  Connection connection(fd, peer, Hold(tally));
  if (listener.for_ever) {
    guarded([&] { listener.handler(std::move(connection)); });
  } else {
    const Worker::Handler once = std::exchange(listener.handler, nullptr);
    guarded([&] { once(std::move(connection)); });
  }
}

void WorkerState::arm(ListenerState& listener, bool wanted) {
  wanted = wanted && !draining && !takes_nothing && !pausing && !tally->at_limit();
  if (listener.armed == wanted) return;
  listener.armed = wanted;
  if (!wanted) {
    ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, listener.socket.get(), nullptr);
    return;
  }
  const auto same = [&](const auto& one) { return one.get() == &listener; };
  const auto at = std::find_if(listeners.begin(), listeners.end(), same) - listeners.begin();
  // EPOLLEXCLUSIVE: one connection wakes one worker, not all of them.
  const std::uint32_t exclusive = managed ? static_cast<std::uint32_t>(EPOLLEXCLUSIVE) : 0U;
  add_to_epoll(listener.socket.get(), EPOLLIN | exclusive,
               kListener | static_cast<std::uint64_t>(at));
}

/// The connection stays in the queue, so a loop that went on would spin. It is out of the others'
/// way until a tenth of a second is over.
void WorkerState::pause_accepting() {
  pausing = true;
  for (const auto& listener : listeners) {
    if (listener->socket) arm(*listener, false);
  }
  const itimerspec once{{0, 0}, {0, 100'000'000}};
  ::timerfd_settime(pause.get(), 0, &once, nullptr);
}

void WorkerState::go_on_accepting() {
  pausing = false;
  for (const auto& listener : listeners) {
    if (listener->socket) arm(*listener, listener->handler != nullptr);
  }
}

void WorkerState::read_offers(bool wanted) {
  if (reading_offers == wanted || offers_ended) return;
  reading_offers = wanted;
  epoll_event event{};
  // The end is news also for a worker that asks for nothing: it is to drain.
  event.events = wanted ? EPOLLIN : EPOLLRDHUP;
  event.data.u64 = kOffers;
  ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, offers->fd(), &event);
}

ListenerState* WorkerState::by_index(std::uint32_t index) {
  for (const auto& listener : listeners) {
    if (listener->index == index) return listener.get();
  }
  return nullptr;
}

}  // namespace clusterd::detail
