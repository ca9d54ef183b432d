#include "agent/src/agent_state.h"

#include "worker/src/complain.h"
#include "worker/src/raise.h"

#include <algorithm>
#include <chrono>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <thread>

namespace clusterd::detail {
namespace {

/// How long the end of an agent waits for its last messages to be on their way.
constexpr Duration kLastWords = std::chrono::seconds(1);
/// By so much it leaves before its master's TERM.
constexpr Duration kBeforeTerm = std::chrono::milliseconds(250);

// What an epoll event is about; others are the program's descriptors.
constexpr std::uint64_t kChannel = 1ULL << 32;
constexpr std::uint64_t kChanged = 2ULL << 32;
constexpr std::uint64_t kTimer = 3ULL << 32;

itimerspec after(Duration time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const auto ns = std::max<std::int64_t>(1, std::chrono::nanoseconds(time).count());
  return {{0, 0}, {ns / kSecond, ns % kSecond}};
}

}  // namespace

AgentState::AgentState()
    : epoll(::epoll_create1(EPOLL_CLOEXEC)),
      changed(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      deadline(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (!epoll || !changed || !deadline) raise(errno_error("make an event loop"));
  channel = ChannelClient::from_environment();
  managed = channel.has_value();
  if (managed) {
    const protocol::Welcome welcome = need(channel->hello(false, true));
    drain_time = std::chrono::milliseconds(welcome.drain_timeout_ms);
    outbox = std::make_shared<Outbox>(channel->fd());
    add_to_epoll(channel->fd(), EPOLLIN, kChannel);
  }
  messages = std::make_shared<Messages>(outbox, [this] { wake(); });
  runs = std::make_unique<Runs>(outbox, [this] { wake(); });
  add_to_epoll(messages->timer(), EPOLLIN, kTimer);
  add_to_epoll(changed.get(), EPOLLIN | EPOLLET, kChanged);
  add_to_epoll(deadline.get(), EPOLLIN, kTimer);
}

AgentState::~AgentState() {
  if (outbox) outbox->flush_for(kLastWords);
}

void AgentState::wake() const { ::eventfd_write(changed.get(), 1); }

void AgentState::say_ready() {
  if (!managed) return;
  if (auto said = outbox->say(encode(protocol::Ready{})); !said) raise(said.error());
}

void AgentState::post(std::function<void()> call) {
  const std::scoped_lock lock(calls_mutex);
  calls.push_back(std::move(call));
  wake();
}

void AgentState::stop() {
  stopped = true;
  wake();
}

void AgentState::escaped(const std::exception_ptr& exception) noexcept {
  try {
    failed(text_of(exception));
  } catch (...) {  // there is no memory to say why, or on_error() itself throws
    ++errors;
  }
}

void AgentState::failed(const std::string& what) {
  ++errors;
  complain("an exception escaped a handler of the agent: " + what);
  if (outbox) {
    outbox->urge(encode(protocol::Failed{what}));
    wake();
  }
  if (owner.load(std::memory_order_relaxed) != std::this_thread::get_id()) {
    post([this, what] { tell_error(what); });
  } else {
    tell_error(what);
  }
}

/// A copy is called: it may replace itself.
void AgentState::tell_error(const std::string& what) const {
  if (const auto call = error_callback) call(what);
}

void AgentState::dispatch(int timeout_ms) {
  owner.store(std::this_thread::get_id(), std::memory_order_relaxed);
  epoll_event events[64];
  const int count = ::epoll_wait(epoll.get(), events, 64, timeout_ms);
  messages->begin_turn();
  for (int at = 0; at < count; ++at) guarded([&] { handle(events[at].data.u64); });
  guarded([&] { finish_turn(); });
}

void AgentState::handle(std::uint64_t event) {
  if (event == kChannel) {
    if (!ended) on_channel();
  } else if (event == kChanged) {
    on_changed();
  } else if (event != kTimer) {  // those are looked at in each turn
    on_watched(static_cast<int>(event));
  }
}

void AgentState::on_watched(int fd) {
  const auto found = watched.find(fd);
  if (found == watched.end()) return;
  const auto on_readable = found->second;  // which may unwatch itself
  (*on_readable)();
}

void AgentState::on_changed() {
  std::vector<std::function<void()>> now;
  {
    const std::scoped_lock lock(calls_mutex);
    now.swap(calls);
  }
  for (const auto& call : now) guarded(call);
}

void AgentState::on_channel() {
  const auto alive = channel->receive();
  if (!alive || !*alive) return channel_ended();
  for (;;) {
    auto message = channel->next();
    if (!message) {  // no master of ours
      channel_ended();
      raise(message.error());
    }
    if (!*message) return;
    if (const auto* run = std::get_if<protocol::RunNow>(&**message)) {
      runs->add(*run);
    } else {
      messages->hear(std::move(**message));
    }
  }
}

/// The master wants it to leave, or is gone. It hears nothing more, and may still say something.
void AgentState::channel_ended() {
  if (std::exchange(ended, true)) return;
  watch_channel();
  messages->master_is_gone();
  const Duration time = drain_time - std::min<Duration>(drain_time / 10, kBeforeTerm);
  leave_at = Clock::now() + time;
  // Never read: from then on each dispatch() returns at once, and fd() is readable.
  const itimerspec once = after(time);
  ::timerfd_settime(deadline.get(), 0, &once, nullptr);
  if (!stop_callback) {
    leaves = true;
    return wake();
  }
  // What came before this is handled before it.
  post(stop_callback);
}

/// The handlers of what came, and what they sent.
void AgentState::finish_turn() {
  messages->turn([this](const auto& call) { guarded(call); });
  runs->start();
  if (!outbox) return;
  flush();
}

void AgentState::flush() {
  const Outbox::Flushed flushed = outbox->flush();
  if (std::exchange(waits_writable, flushed.waits) != flushed.waits) watch_channel();
  if (const auto call = messages->on_room; call && flushed.has_room) guarded(call);
}

/// The end of what the master says is not the end of what it hears: that goes on as long as there
/// is something to send.
void AgentState::watch_channel() {
  epoll_event event{};
  event.events = (ended ? 0U : static_cast<std::uint32_t>(EPOLLIN)) |
                 (waits_writable ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
  event.data.u64 = kChannel;
  if (event.events == 0) {
    ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, channel->fd(), nullptr);
  } else if (::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, channel->fd(), &event) < 0) {
    ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, channel->fd(), &event);
  }
}

bool AgentState::finished() const {
  return stopped || (leaves && !runs->open()) || (leave_at && Clock::now() >= *leave_at);
}

void AgentState::watch(int fd, std::function<void()> on_readable) {
  add_to_epoll(fd, EPOLLIN, static_cast<std::uint32_t>(fd));
  watched[fd] = std::make_shared<std::function<void()>>(std::move(on_readable));
}

void AgentState::unwatch(int fd) {
  if (watched.erase(fd) > 0) ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void AgentState::add_to_epoll(int fd, std::uint32_t events, std::uint64_t data) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) < 0) {
    raise(errno_error("watch a descriptor"));
  }
}

}  // namespace clusterd::detail
