#include "master/runtime/dispatcher.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace clusterd::runtime {
namespace {

constexpr int kAcceptBudget = 64;    // connections a listener and turn, so that verbs get through
constexpr std::size_t kSendAt = 16;  // connections a message: more only adds waiting
constexpr unsigned kMostIdleWakes = 1'000;
constexpr std::size_t kMostWaiting = 1024;  // sticky connections, in the master

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
      copies_timer_(io),
      pause_timer_(io),
      queue_timer_(io),
      balancer_(options.max_connections) {
  wait();
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
    if (member != nullptr) member->lane->want_wake(handoff::wake::kNever);
  }
  collect(now);
  place_waiting(now);
  for (const core::ListenerIndex index : handing_out_) {
    if (accept_from(index, now)) again = true;
  }
  send_all(now);
  end_the_leaving();
  if (ask_for_wake(now)) again = true;
  arm_listeners();
  watch_stalls();
  watch_queues();
  if (again) look_soon();
}

void Dispatcher::look_soon() {
  if (std::exchange(turn_posted_, true)) return;
  boost::asio::post(io_, [this] {
    turn_posted_ = false;
    turn();
  });
}

void Dispatcher::collect(TimePoint now) {
  for (Member* member : by_seat_) {
    if (member == nullptr) continue;
    collect_one(*member, now);
    check_dropped(*member, now);
    balancer_.claim_active(*member->seat, member->lane->active());
  }
}

/// True if the worker took something.
bool Dispatcher::collect_one(Member& member, TimePoint now) {
  if (member.broken || ledger(member).pending() == 0) return false;
  const auto freed = member.lane->collect(ledger(member), now, waiting_);
  if (!freed) break_off(member, "it says that it took connections which it was not offered");
  if (freed.value_or(0) > 0) member.idle_wakes = 0;
  if (ledger(member).state() == core::OfferLedger::State::full) retry_soon();
  return freed.value_or(0) > 0;
}

void Dispatcher::check_dropped(Member& member, TimePoint now) {
  core::OfferLedger& books = ledger(member);
  if (books.state() != core::OfferLedger::State::revoked || now < member.closed_until) return;
  const std::uint32_t sequence = member.lane->dropped();
  if (!books.dropped(sequence)) return;
  member.lane->reopen(books);
  member.idle_wakes = 0;
}

/// What was given back goes out first, oldest first.
void Dispatcher::place_waiting(TimePoint now) {
  for (std::size_t left = waiting_.size(); left > 0; --left) {
    Accepted connection = std::move(waiting_.front());
    waiting_.pop_front();
    connection.offer.listener = heir_of(connection.offer.listener);
    hand_out(std::move(connection), now);
  }
}

/// True if there may be more to accept in another turn.
bool Dispatcher::accept_from(core::ListenerIndex index, TimePoint now) {
  for (int budget = kAcceptBudget; budget > 0; --budget) {
    if (!may_accept(index)) return false;
    auto connection = accept_one(index);
    if (!connection) return false;
    hand_out(std::move(*connection), now);
  }
  return true;
}

/// Nothing if there is none, or if a resource is lacking, and then the listener pauses.
std::optional<Accepted> Dispatcher::accept_one(core::ListenerIndex index) {
  Source& source = sources_[index];
  for (int tries = 0; tries < kAcceptBudget; ++tries) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    // The workers have this open file too, and one that made it block would make us wait for good.
    if (source.policy == config::Policy::accept_race) {
      (void)::fcntl(source.listener->fd(), F_SETFL, O_RDWR | O_NONBLOCK);
    }
    UniqueFd fd(::accept4(source.listener->fd(), reinterpret_cast<sockaddr*>(&address), &length,
                          SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      ++source.accepted;
      return Accepted{std::move(fd), {index, handoff::to_peer(address)}, Clock::now()};
    }
    if (errno == EAGAIN) return std::nullopt;
    if (ends_one_connection(errno)) continue;
    events_.accept_failed(errno_error("accept on " + source.listener->text()));
    source.paused = true;
    turn_after_pause();
    return std::nullopt;
  }
  return std::nullopt;
}

/// With nobody to take a connection it stays in the kernel's queue. A sticky one has to be accepted
/// before it says whose it is, so some of those wait here for their worker.
bool Dispatcher::may_accept(core::ListenerIndex index) const {
  const Source& source = sources_[index];
  if (source.paused || source.suspended || !source.listener->is_open()) return false;
  if (source.policy != config::Policy::sticky) return balancer_.anyone(index);
  return balancer_.served(index) && waiting_.size() < kMostWaiting;
}

/// To the worker whose it is, or to those that wait.
void Dispatcher::hand_out(Accepted connection, TimePoint now) {
  const core::ListenerIndex listener = connection.offer.listener;
  const auto seat = balancer_.next(
      {listener, sources_[listener].policy, handoff::client_of(connection.offer.peer)}, now);
  if (!seat) return waiting_.push_back(std::move(connection));
  Member& member = *by_seat_[static_cast<std::size_t>(*seat)];
  member.lane->add(std::move(connection));
  if (member.lane->unsent() >= kSendAt) (void)send(member);
}

/// False if connections came back.
bool Dispatcher::send(Member& member) {
  if (member.lane->unsent() == 0) return true;
  switch (member.lane->send(ledger(member), waiting_)) {
    case Lane::Sent::all:
      return true;
    case Lane::Sent::full:
      ledger(member).mark_full();
      retry_soon();
      break;
    case Lane::Sent::broken:
      // It closed its end or is dead. Its exit, or the end of its channel, tells the rest.
      ledger(member).end();
      break;
  }
  return false;
}

void Dispatcher::send_all(TimePoint now) {
  for (std::size_t pass = 0; pass <= by_seat_.size(); ++pass) {
    bool all_sent = true;
    for (Member* member : by_seat_) {
      if (member != nullptr && !send(*member)) all_sent = false;
    }
    if (all_sent) return;
    // What one could not be sent, another may take; each pass closes at least one lane.
    place_waiting(now);
  }
}

/// Nothing waits any more for those who took the rest: they are told, in band, that no more comes.
void Dispatcher::end_the_leaving() {
  for (Member* member : by_seat_) {
    if (member == nullptr || !member->leaving || member->lane->unsent() > 0) continue;
    if (std::any_of(waiting_.begin(), waiting_.end(), [member](const Accepted& one) {
          return std::count(member->serves.begin(), member->serves.end(), one.offer.listener) > 0;
        }))
      continue;
    member->leaving = false;
    ledger(*member).end();
    balancer_.retire(*member->seat);
    member->lane->end();
  }
}

/// True if another turn is needed at once.
bool Dispatcher::ask_for_wake(TimePoint now) {
  const std::uint32_t when = needs_room() ? handoff::wake::kAtTake : handoff::wake::kAtDetach;
  bool took = false;
  bool found_room = false;
  bool copies_out = false;
  for (Member* member : by_seat_) {
    if (member == nullptr) continue;
    if (asked_for_room(*member)) found_room = true;
    const bool revoked = ledger(*member).state() == core::OfferLedger::State::revoked;
    if (ledger(*member).pending() == 0 && !revoked) continue;
    member->lane->want_wake(when);
    // One that took between the last look and the request saw no request: look once more.
    if (collect_one(*member, now)) took = true;
    if (revoked) check_dropped(*member, now);
    if (ledger(*member).pending() > 0) copies_out = true;
  }
  if (copies_out) look_again_later();
  return found_room || (took && !waiting_.empty());
}

/// Asks one that holds as many connections as it may to say when it holds fewer. True if it does
/// already.
bool Dispatcher::asked_for_room(Member& member) {
  if (!balancer_.at_limit(*member.seat)) return false;
  member.lane->want_room();
  balancer_.claim_active(*member.seat, member.lane->active());
  return !balancer_.at_limit(*member.seat);
}

void Dispatcher::arm_listeners() {
  for (const core::ListenerIndex index : handing_out_) {
    Source& source = sources_[index];
    if (!source.listener->is_open()) continue;
    arm(source, index, may_accept(index));
  }
}

/// Not armed, we do not even look at the kernel's queue.
void Dispatcher::arm(Source& source, core::ListenerIndex index, bool wanted) {
  if (source.armed == wanted) return;
  epoll_event event{};
  event.events = wanted ? EPOLLIN : 0U;
  event.data.u64 = index;
  ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_MOD, source.listener->fd(), &event);
  source.armed = wanted;
}

}  // namespace clusterd::runtime
