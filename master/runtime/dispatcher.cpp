#include "master/runtime/dispatcher.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cerrno>

namespace clusterd::runtime {
namespace {

constexpr int kAcceptBudget = 64;       // connections a listener and turn, so that verbs get through
constexpr std::size_t kSendAt = 16;     // connections a message: more only adds waiting
constexpr std::uint64_t kWakeEvent = 1ULL << 32;  // epoll data: an eventfd, not a listener
constexpr unsigned kMostIdleWakes = 10'000;
constexpr auto kPause = std::chrono::milliseconds(100);
constexpr auto kRetry = std::chrono::milliseconds(5);

/// accept(2) gives the errors of the connection that it would have given, which say nothing about
/// the listener. All others (EMFILE, ENFILE, ENOBUFS, ENOMEM...) would come again at once.
bool ends_one_connection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

}  // namespace

Dispatcher::Dispatcher(boost::asio::io_context& io, Options options, Events events)
    : io_(io),
      options_(options),
      events_(std::move(events)),
      epoll_(io, ::epoll_create1(EPOLL_CLOEXEC)),
      stall_timer_(io),
      retry_timer_(io),
      pause_timer_(io) {
  wait();
}

Result<void> Dispatcher::add_listener(core::ListenerIndex index, os::Listener& listener) {
  epoll_event event{};
  event.data.u64 = index;  // not armed: nobody serves it yet
  if (::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, listener.fd(), &event) < 0) {
    return errno_error("watch " + listener.address().text());
  }
  sources_[index].listener = &listener;
  handing_out_.push_back(index);
  return {};
}

Result<OfferLane::WorkerEnds> Dispatcher::join(ChildId child) {
  auto lane = OfferLane::create(options_.window);
  if (!lane) return lane.error();
  epoll_event event{};
  // Edge-triggered: every write is an event, and nobody ever has to read the counter.
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = kWakeEvent | child.number;
  if (::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, lane->wake_fd(), &event) < 0) {
    return errno_error("watch an eventfd");
  }
  OfferLane::WorkerEnds ends = lane->take_worker_ends();
  members_[child] = std::make_unique<Member>(Member{child, std::move(*lane), {}, {}, false, false, 0, {}});
  return ends;
}

void Dispatcher::serve(ChildId child, core::ListenerIndex listener) {
  const auto found = members_.find(child);
  if (found == members_.end()) return;
  Member& member = *found->second;
  if (std::count(member.serves.begin(), member.serves.end(), listener) > 0) return;
  member.serves.push_back(listener);
  if (member.in_rotation) {
    balancer_.serve(*member.seat, listener);
    arm_listeners();
  }
}

void Dispatcher::enter_rotation(ChildId child) {
  const auto found = members_.find(child);
  if (found == members_.end() || found->second->seat) return;
  Member& member = *found->second;
  member.seat = balancer_.join(options_.window);
  member.in_rotation = true;
  const auto index = static_cast<std::size_t>(*member.seat);
  if (by_seat_.size() <= index) by_seat_.resize(index + 1);
  by_seat_[index] = &member;
  for (const core::ListenerIndex listener : member.serves) balancer_.serve(*member.seat, listener);
  turn();
}

void Dispatcher::leave_rotation(ChildId child) {
  const auto found = members_.find(child);
  if (found == members_.end() || !found->second->in_rotation) return;
  Member& member = *found->second;
  member.in_rotation = false;
  // When all leave at once, at the stop, each finishes what it was offered: there is nobody else.
  const bool others = balancer_.anyone_but(*member.seat) && !stopping_;
  ledger(member).end();
  if (others) take_back(member, Clock::now());
  member.lane.end();
  turn();
}

void Dispatcher::refuse(ChildId child) {
  const auto found = members_.find(child);
  if (found == members_.end() || !found->second->in_rotation) return;
  take_back(*found->second, Clock::now());
  found->second->closed_until = Clock::now() + kPause;
  turn_after_pause();
  turn();
}

void Dispatcher::forget(ChildId child) {
  const auto found = members_.find(child);
  if (found == members_.end()) return;
  Member& member = *found->second;
  if (member.seat) {
    ledger(member).end();
    take_back(member, Clock::now());
    by_seat_[static_cast<std::size_t>(*member.seat)] = nullptr;
    balancer_.leave(*member.seat);
  }
  for (std::size_t index = 0; index < core::kMaxListeners; ++index) {
    sources_[index].raced += member.lane.page().accepted[index].load(std::memory_order_relaxed);
  }
  members_.erase(found);
  turn();
}

void Dispatcher::stop_accepting() {
  if (stopping_) return;
  turn();
  stopping_ = true;
  for (const core::ListenerIndex index : handing_out_) {
    sources_[index].armed = false;
    sources_[index].listener->close();  // which also takes it out of the epoll set
  }
}

void Dispatcher::wait() {
  // The dispatcher lives as long as the io_context runs, so `this` outlives the handler.
  epoll_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [this](boost::system::error_code error) {
                      if (error) return;
                      note_events();
                      turn();
                      wait();
                    });
}

/// The events themselves carry nothing that the turn does not find out: they are only consumed, and
/// counted against workers that wake us for nothing.
void Dispatcher::note_events() {
  epoll_event events[64];
  const int count = ::epoll_wait(epoll_.native_handle(), events, 64, 0);
  for (int at = 0; at < count; ++at) {
    if ((events[at].data.u64 & kWakeEvent) == 0) continue;
    const ChildId child{Role::worker, static_cast<std::uint32_t>(events[at].data.u64)};
    const auto found = members_.find(child);
    if (found != members_.end() && ++found->second->idle_wakes > kMostIdleWakes) {
      break_off(*found->second, "it writes its eventfd without taking anything");
    }
  }
}

void Dispatcher::turn() {
  const TimePoint now = Clock::now();
  bool again = false;
  for (Member* member : by_seat_) {
    if (member != nullptr) member->lane.want_wake(false);
  }
  collect(now);
  place_waiting(now);
  for (const core::ListenerIndex index : handing_out_) {
    if (accept_from(index, now)) again = true;
  }
  send_all(now);
  if (ask_for_wake(now)) again = true;
  arm_listeners();
  watch_stalls();
  if (again && !turn_posted_) {
    turn_posted_ = true;
    boost::asio::post(io_, [this] {
      turn_posted_ = false;
      turn();
    });
  }
}

void Dispatcher::collect(TimePoint now) {
  for (Member* member : by_seat_) {
    if (member == nullptr) continue;
    collect_one(*member, now);
    check_dropped(*member, now);
  }
}

/// True if the worker took something.
bool Dispatcher::collect_one(Member& member, TimePoint now) {
  if (member.broken || ledger(member).pending() == 0) return false;
  const auto freed = member.lane.collect(ledger(member), now);
  if (!freed) break_off(member, "it says that it took connections which it was not offered");
  if (freed.value_or(0) > 0) member.idle_wakes = 0;
  return freed.value_or(0) > 0;
}

void Dispatcher::check_dropped(Member& member, TimePoint now) {
  core::OfferLedger& books = ledger(member);
  if (books.state() != core::OfferLedger::State::revoked || now < member.closed_until) return;
  const std::uint32_t sequence = member.lane.page().dropped.load();
  if (!books.dropped(sequence)) return;
  member.lane.reopen(books);
  member.idle_wakes = 0;
}

/// What was given back goes out first, oldest first.
void Dispatcher::place_waiting(TimePoint now) {
  for (std::size_t left = waiting_.size(); left > 0; --left) {
    Accepted connection = std::move(waiting_.front());
    waiting_.pop_front();
    if (balancer_.anyone(connection.offer.listener)) {
      hand_out(std::move(connection), now);
    } else {
      waiting_.push_back(std::move(connection));
    }
  }
}

/// True if there may be more to accept in another turn.
bool Dispatcher::accept_from(core::ListenerIndex index, TimePoint now) {
  Source& source = sources_[index];
  if (source.paused || !source.listener->is_open()) return false;
  for (int budget = kAcceptBudget; budget > 0; --budget) {
    if (!balancer_.anyone(index)) return false;
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    const int fd = ::accept4(source.listener->fd(), reinterpret_cast<sockaddr*>(&address), &length,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      ++source.accepted;
      hand_out({UniqueFd(fd), {index, handoff::to_peer(address)}}, now);
    } else if (errno == EAGAIN) {
      return false;
    } else if (!ends_one_connection(errno)) {
      events_.accept_failed(errno_error("accept on " + source.listener->address().text()));
      source.paused = true;
      turn_after_pause();
      return false;
    }
  }
  return true;
}

/// Needs somebody with credit for the connection's listener.
void Dispatcher::hand_out(Accepted connection, TimePoint now) {
  const auto seat = balancer_.next(connection.offer.listener, now);
  Member& member = *by_seat_[static_cast<std::size_t>(*seat)];
  member.lane.add(std::move(connection));
  if (member.lane.unsent() >= kSendAt) send(member);
}

void Dispatcher::send(Member& member) {
  if (member.lane.unsent() == 0) return;
  switch (member.lane.send(ledger(member), waiting_)) {
    case OfferLane::Sent::all:
      break;
    case OfferLane::Sent::full:
      ledger(member).mark_full();
      retry_soon();
      break;
    case OfferLane::Sent::broken:
      // It closed its end or is dead. Its exit, or the end of its channel, tells the rest.
      ledger(member).end();
      break;
  }
}

void Dispatcher::send_all(TimePoint now) {
  for (std::size_t pass = 0; pass <= by_seat_.size(); ++pass) {
    for (Member* member : by_seat_) {
      if (member != nullptr) send(*member);
    }
    // What one could not be sent, another may take; each pass closes at least one lane.
    if (waiting_.empty()) return;
    place_waiting(now);
  }
}

/// True if another turn is needed at once.
bool Dispatcher::ask_for_wake(TimePoint now) {
  bool took = false;
  for (Member* member : by_seat_) {
    if (member == nullptr) continue;
    const bool revoked = ledger(*member).state() == core::OfferLedger::State::revoked;
    if (ledger(*member).pending() == 0 && !revoked) continue;
    member->lane.want_wake(true);
    // One that took between the last look and the request saw no request: look once more.
    if (collect_one(*member, now)) took = true;
    if (revoked) check_dropped(*member, now);
  }
  return took && !waiting_.empty();
}

void Dispatcher::arm_listeners() {
  for (const core::ListenerIndex index : handing_out_) {
    Source& source = sources_[index];
    if (!source.listener->is_open()) continue;
    arm(source, index, !source.paused && balancer_.anyone(index));
  }
}

/// With nobody to take a connection it stays in the kernel's queue: we do not even look.
void Dispatcher::arm(Source& source, core::ListenerIndex index, bool wanted) {
  if (source.armed == wanted) return;
  epoll_event event{};
  event.events = wanted ? EPOLLIN : 0U;
  event.data.u64 = index;
  ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_MOD, source.listener->fd(), &event);
  source.armed = wanted;
}

/// Somebody is out of descriptors or memory: to go on at once would only spin.
void Dispatcher::turn_after_pause() {
  pause_timer_.expires_after(kPause);
  pause_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    for (Source& source : sources_) source.paused = false;
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
  ledger(member).end();
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

Dispatcher::LaneStatus Dispatcher::status(ChildId child) const {
  const auto found = members_.find(child);
  if (found == members_.end()) return {};
  const Member& member = *found->second;
  const handoff::Page& page = member.lane.page();
  LaneStatus status;
  status.active = page.active.load(std::memory_order_relaxed);
  status.requests = page.requests.load(std::memory_order_relaxed);
  for (const auto& accepted : page.accepted) {
    status.taken += accepted.load(std::memory_order_relaxed);
  }
  if (member.seat) {
    status.pending = balancer_.ledger(*member.seat).pending();
    status.taken += balancer_.ledger(*member.seat).taken_in_all();
  }
  return status;
}

std::uint64_t Dispatcher::accepted(core::ListenerIndex listener) const {
  std::uint64_t count = sources_[listener].accepted + sources_[listener].raced;
  for (const auto& [child, member] : members_) {
    count += member->lane.page().accepted[listener].load(std::memory_order_relaxed);
  }
  return count;
}

std::uint32_t Dispatcher::waiting(core::ListenerIndex listener) const {
  return static_cast<std::uint32_t>(
      std::count_if(waiting_.begin(), waiting_.end(),
                    [listener](const Accepted& one) { return one.offer.listener == listener; }));
}

}  // namespace clusterd::runtime
