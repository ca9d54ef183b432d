#include "worker/src/worker_state.h"

#include "worker/src/raise.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <system_error>

namespace clusterd::detail {
namespace {

// What an epoll event is about: its kind, and for the last two a listener's index, a descriptor.
constexpr std::uint64_t kChannel = 1;
constexpr std::uint64_t kOffers = 2;
constexpr std::uint64_t kChanged = 3;
constexpr std::uint64_t kListener = 1ULL << 32;
constexpr std::uint64_t kWatched = 2ULL << 32;
constexpr std::uint64_t kIndex = 0xFFFF'FFFFULL;

Peer to_peer(const handoff::Peer& from) {
  Peer peer;
  peer.family = from.family;
  peer.port = from.port;
  std::copy(std::begin(from.address), std::end(from.address), std::begin(peer.address));
  return peer;
}

}  // namespace

WorkerState::WorkerState() : epoll(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll) raise(errno_error("make an epoll set"));
  channel = ChannelClient::from_environment();
  managed = channel.has_value();
  if (!managed) {
    tally = std::make_shared<Tally>();
  } else {
    const protocol::Welcome welcome = need(channel->hello());
    auto fds = need(channel->take_fds(welcome.fds));
    if (fds.size() != 3) raise(make_error("the master's welcome is malformed"));
    orphan_time = std::chrono::milliseconds(welcome.drain_timeout_ms);
    tally = std::make_shared<Tally>(fds[1].get());
    tally->max_connections = static_cast<std::uint32_t>(welcome.max_connections);
    offers = std::make_unique<OfferQueue>(std::move(fds[0]), std::move(fds[2]), tally);
    add_to_epoll(channel->fd(), EPOLLIN, kChannel);
    add_to_epoll(offers->fd(), EPOLLIN, kOffers);
  }
  add_to_epoll(tally->changed.get(), EPOLLIN | EPOLLET, kChanged);
}

void WorkerState::want(Worker::ListenerId id, Worker::Handler handler, bool for_ever) {
  ListenerState& listener = *listeners[static_cast<std::size_t>(id)];
  listener.handler = std::move(handler);
  listener.for_ever = for_ever;
  if (listener.socket) {
    arm(listener, listener.handler != nullptr);
  } else if (listener.handler && offers) {
    give_out();
    read_offers(true);
  }
}

void WorkerState::say_ready() {
  if (!managed) return;
  if (auto sent = channel->send(encode(protocol::Ready{})); !sent) raise(sent.error());
}

void WorkerState::dispatch(int timeout_ms) {
  if (leave_at) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*leave_at - Clock::now());
    const int most = static_cast<int>(std::max<std::int64_t>(0, left.count()));
    timeout_ms = timeout_ms < 0 ? most : std::min(timeout_ms, most);
  }
  epoll_event events[64];
  const int count = ::epoll_wait(epoll.get(), events, 64, timeout_ms);
  for (int at = 0; at < count; ++at) handle(events[at].data.u64);
}

void WorkerState::handle(std::uint64_t event) {
  if (event == kChannel) {
    on_channel();
  } else if (event == kOffers) {
    on_offers();
  } else if (event == kChanged) {
    // There is room again, or finished() has become true, and the wait only had to end.
    for (const auto& listener : listeners) {
      if (listener->socket) arm(*listener, listener->handler != nullptr);
    }
  } else if ((event & kListener) != 0) {
    on_listening_socket(*listeners[event & kIndex]);
  } else if ((event & kWatched) != 0) {
    const auto found = watched.find(static_cast<int>(event & kIndex));
    if (found == watched.end()) return;
    const auto on_readable = found->second;  // which may unwatch itself
    (*on_readable)();
  }
}

void WorkerState::on_channel() {
  const auto alive = channel->receive();
  if (!alive || !*alive) return master_is_gone();
  while (const auto message = need(channel->next())) on_message(*message);
}

void WorkerState::on_message(const protocol::FromMaster& message) {
  if (std::get_if<protocol::Revoked>(&message) != nullptr) {
    offers->revoked();
    read_offers(true);
  }
}

void WorkerState::on_offers() {
  switch (offers->receive()) {
    case OfferQueue::Received::nothing:
    case OfferQueue::Received::offers:
      break;
    case OfferQueue::Received::lacking:
      if (!channel->send(encode(protocol::Refuse{offers->refused_from()}))) master_is_gone();
      break;
    case OfferQueue::Received::ended:
      offers_ended = true;
      ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, offers->fd(), nullptr);
      give_out();
      return begin_drain();
  }
  give_out();
}

/// Takes offers for as long as the oldest is asked for. The order of taking is the order of
/// offering, so one that nobody asks for holds up those behind it; the master then gives all of
/// them to others after its stall_timeout.
void WorkerState::give_out() {
  while (const auto index = offers->front()) {
    ListenerState* listener = by_index(*index);
    if (listener == nullptr || !listener->handler) return read_offers(false);
    auto taken = offers->take();
    if (taken) deliver(*listener, taken->fd.release(), to_peer(taken->offer.peer));
  }
}

/// In accept race, and on a socket of our own.
void WorkerState::on_listening_socket(ListenerState& listener) {
  if (!listener.handler || !listener.socket) return;
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  const int fd = ::accept4(listener.socket.get(), reinterpret_cast<sockaddr*>(&address), &length,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;  // another worker was quicker, or the client is gone
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
    listener.handler(std::move(connection));
  } else {
    const Worker::Handler once = std::exchange(listener.handler, nullptr);
    once(std::move(connection));
  }
}

void WorkerState::arm(ListenerState& listener, bool wanted) {
  wanted = wanted && !draining && !tally->at_limit();
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

void WorkerState::read_offers(bool wanted) {
  if (reading_offers == wanted || offers_ended) return;
  reading_offers = wanted;
  epoll_event event{};
  event.events = wanted ? EPOLLIN : 0U;
  event.data.u64 = kOffers;
  ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, offers->fd(), &event);
}

void WorkerState::begin_drain() {
  if (draining) return;
  draining = true;
  tally->draining.store(true);
  for (const auto& listener : listeners) {
    if (!listener->socket) continue;
    arm(*listener, false);
    listener->socket.reset();
  }
  if (drain_callback) drain_callback();
}

void WorkerState::master_is_gone() {
  ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, channel->fd(), nullptr);
  leave_at = Clock::now() + orphan_time;
  // What it offered before it died is still ours to take, and nobody else's: its copies are gone.
  begin_drain();
}

bool WorkerState::finished() const {
  if (leave_at && Clock::now() >= *leave_at) return true;
  const bool no_more = draining && (!offers || (offers_ended && !offers->front()));
  return no_more && tally->page->active.load() == 0;
}

void WorkerState::watch(int fd, std::function<void()> on_readable) {
  add_to_epoll(fd, EPOLLIN, kWatched | static_cast<std::uint32_t>(fd));
  watched[fd] = std::make_shared<std::function<void()>>(std::move(on_readable));
}

void WorkerState::unwatch(int fd) {
  if (watched.erase(fd) > 0) ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void WorkerState::add_to_epoll(int fd, std::uint32_t events, std::uint64_t data) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) < 0)
    raise(errno_error("watch a descriptor"));
}

ListenerState* WorkerState::by_index(std::uint32_t index) {
  for (const auto& listener : listeners) {
    if (!listener->socket && listener->index == index) return listener.get();
  }
  return nullptr;
}

}  // namespace clusterd::detail
