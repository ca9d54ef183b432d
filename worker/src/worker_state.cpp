#include "worker/src/worker_state.h"

#include "worker/src/epoll_tags.h"
#include "worker/src/raise.h"

#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <system_error>

namespace clusterd::detail {
namespace {

/// How long the end of a worker waits for its last messages to be on their way.
constexpr Duration kLastWords = std::chrono::seconds(1);

}  // namespace

WorkerState::WorkerState()
    : epoll(::epoll_create1(EPOLL_CLOEXEC)),
      deadline(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      pause(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (!epoll) raise(errno_error("make an epoll set"));
  if (!deadline || !pause) raise(errno_error("make a timer"));
  channel = ChannelClient::from_environment();
  managed = channel.has_value();
  if (!managed) {
    tally = std::make_shared<Tally>();
  } else {
    const protocol::Welcome welcome = need(channel->hello(true, true));
    auto fds = need(channel->take_fds(welcome.fds));
    if (fds.size() != 3) raise(make_error("the master's welcome is malformed"));
    drain_time = std::chrono::milliseconds(welcome.drain_timeout_ms);
    tally = std::make_shared<Tally>(fds[1].get());
    tally->max_connections = static_cast<std::uint32_t>(welcome.max_connections);
    outbox = std::make_shared<Outbox>(channel->fd());
    offers = std::make_unique<OfferQueue>(std::move(fds[0]), std::move(fds[2]), tally);
    add_to_epoll(channel->fd(), EPOLLIN, kChannel);
    add_to_epoll(offers->fd(), EPOLLIN, kOffers);
  }
  const auto wake = [shared = tally] { ::eventfd_write(shared->changed.get(), 1); };
  messages = std::make_shared<Messages>(outbox, wake);
  add_to_epoll(messages->timer(), EPOLLIN, kMessages);
  runs = std::make_unique<Runs>(outbox, wake);
  add_to_epoll(tally->changed.get(), EPOLLIN | EPOLLET, kChanged);
  add_to_epoll(deadline.get(), EPOLLIN, kDeadline);
  add_to_epoll(pause.get(), EPOLLIN | EPOLLET, kPause);
}

WorkerState::~WorkerState() {
  if (outbox) outbox->flush_for(kLastWords);
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
  if (managed) say(encode(protocol::Ready{}));
}

void WorkerState::say(const std::string& line) {
  if (auto said = outbox->say(line); !said) raise(said.error());
}

void WorkerState::post(std::function<void()> call) {
  const std::scoped_lock lock(calls_mutex);
  calls.push_back(std::move(call));
  ::eventfd_write(tally->changed.get(), 1);
}

void WorkerState::dispatch(int timeout_ms) {
  owner.store(std::this_thread::get_id(), std::memory_order_relaxed);
  epoll_event events[64];
  const int count = ::epoll_wait(epoll.get(), events, 64, timeout_ms);
  messages->begin_turn();
  auto& turns = tally->page->turns;
  turns.store(turns.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  for (int at = 0; at < count; ++at) guarded([&] { handle(events[at].data.u64); });
  guarded([&] { finish_turn(); });
}

/// Messages and runs that came, and messages that this turn's handlers sent.
void WorkerState::finish_turn() {
  messages->turn([this](const auto& call) { guarded(call); });
  runs->start();
  if (!outbox) return;
  const Outbox::Flushed flushed = outbox->flush();
  if (flushed.waits != waits_writable && !orphaned) {
    waits_writable = flushed.waits;
    epoll_event event{};
    event.events = EPOLLIN | (waits_writable ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
    event.data.u64 = kChannel;
    ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, channel->fd(), &event);
  }
  if (const auto call = messages->on_room; call && flushed.has_room) guarded(call);
}

void WorkerState::on_changed() {
  // There is room again, or finished() has become true, or another thread has something for us.
  if (suicidal) leave_of_own_accord();
  for (const auto& listener : listeners) {
    if (listener->socket) arm(*listener, listener->handler != nullptr);
  }
  std::vector<std::function<void()>> now;
  {
    const std::scoped_lock lock(calls_mutex);
    now.swap(calls);
  }
  for (const auto& call : now) guarded(call);
}

void WorkerState::handle(std::uint64_t event) {
  if (event == kChannel) {
    on_channel();
  } else if (event == kOffers) {
    on_offers();
  } else if (event == kChanged) {
    on_changed();
  } else if (event == kPause) {
    go_on_accepting();
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
  for (;;) {
    auto message = channel->next();
    if (!message) {  // no master of ours: without it this worker can only finish what is open
      master_is_gone();
      raise(message.error());
    }
    if (!*message) return;
    on_message(std::move(**message));
  }
}

void WorkerState::on_message(protocol::FromMaster message) {
  if (std::get_if<protocol::Revoked>(&message) != nullptr) {
    offers->revoked();
    read_offers(true);
  } else if (const auto* run = std::get_if<protocol::RunNow>(&message)) {
    runs->add(*run);
  } else {
    messages->hear(std::move(message));
  }
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

}  // namespace clusterd::detail
