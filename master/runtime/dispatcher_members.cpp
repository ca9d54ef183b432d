// Who is in the rotation, and what there is to tell about them.
#include "master/runtime/dispatcher.h"

#include <algorithm>
#include <sys/epoll.h>
#include <utility>

namespace clusterd::runtime {

Result<void> Dispatcher::add_listener(core::ListenerIndex index, os::Listener& listener,
                                      config::Policy policy, Duration queue_timeout) {
  sources_[index].listener = &listener;
  sources_[index].policy = policy;
  sources_[index].queue_timeout = queue_timeout;
  watch_queues();
  if (policy == config::Policy::accept_race) return {};  // the workers accept
  epoll_event event{};
  event.data.u64 = index;  // not armed: nobody serves it yet
  if (::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, listener.fd(), &event) < 0) {
    return errno_error("watch " + listener.text());
  }
  handing_out_.push_back(index);
  return {};
}

void Dispatcher::set_options(Options options) {
  options_ = options;
  balancer_.set_max_connections(options.max_connections);
}

void Dispatcher::suspend_listener(core::ListenerIndex index) {
  Source& source = sources_[index];
  if (source.listener == nullptr || std::exchange(source.suspended, true)) return;
  source.listener->refuse_new();
  empty_queue(index);
  turn();
}

void Dispatcher::resume_listener(core::ListenerIndex index) {
  Source& source = sources_[index];
  if (source.listener == nullptr || !std::exchange(source.suspended, false)) return;
  source.listener->accept_new();
  turn();
}

void Dispatcher::close_listener(core::ListenerIndex index) {
  Source& source = sources_[index];
  // Workers in accept race have it too, until they are gone.
  if (source.listener == nullptr || source.policy == config::Policy::accept_race) return;
  close(source);
}

/// Others may have the same socket, and then a close alone would not take it out of the epoll set.
void Dispatcher::close(Source& source) {
  ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_DEL, source.listener->fd(), nullptr);
  source.listener->close();
  source.armed = false;
}

void Dispatcher::remove_listener(core::ListenerIndex index) {
  if (events_.removing) events_.removing(index);
  if (sources_[index].listener == nullptr) return;
  ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_DEL, sources_[index].listener->fd(), nullptr);
  std::erase(handing_out_, index);
  std::erase_if(waiting_, [&](const Accepted& one) { return one.offer.listener == index; });
  sources_[index] = Source{};
}

/// Those in the kernel's queue would be reset by a close, unless somebody else keeps the socket.
void Dispatcher::empty_queue(core::ListenerIndex index) {
  if (sources_[index].listener->is_passed()) return;
  // Where new clients cannot be kept out, as of an abstract name, this must end all the same.
  constexpr int kLongestQueue = 65'536;
  for (int left = kLongestQueue; left > 0 && serves(index); --left) {
    auto connection = accept_one(index);
    if (!connection) break;
    waiting_.push_back(std::move(*connection));
  }
}

Result<void> Dispatcher::join(ChildId child, SlotId slot, std::unique_ptr<Lane> lane) {
  epoll_event event{};
  // Edge-triggered: every write is an event, and nobody ever has to read the counter.
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = kWakeEvent | child.number;
  if (lane->wake_fd() >= 0 &&
      ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, lane->wake_fd(), &event) < 0) {
    return errno_error("watch an eventfd");
  }
  members_[child] = std::make_unique<Member>(Member{child, slot, std::move(lane)});
  return {};
}

void Dispatcher::serve(ChildId child, core::ListenerIndex listener) {
  const auto found = members_.find(child);
  if (found == members_.end()) return;
  Member& member = *found->second;
  if (std::count(member.serves.begin(), member.serves.end(), listener) > 0) return;
  member.serves.push_back(listener);
  if (member.in_rotation) {
    begin_to_serve(member, listener);
    arm_listeners();
  }
}

void Dispatcher::serve_no_more(ChildId child, core::ListenerIndex listener) {
  const auto found = members_.find(child);
  if (found == members_.end()) return;
  std::erase(found->second->serves, listener);
  if (found->second->in_rotation) balancer_.serve_no_more(*found->second->seat, listener);
}

void Dispatcher::begin_to_serve(Member& member, core::ListenerIndex listener) {
  balancer_.serve(*member.seat, listener);
  // In accept race it takes from the queue without our knowing: what was seen there is no more.
  sources_[listener].ages.clear();
}

void Dispatcher::enter_rotation(ChildId child) {
  const auto found = members_.find(child);
  if (found == members_.end() || found->second->seat) return;
  Member& member = *found->second;
  member.seat = balancer_.join(member.lane->window(), member.slot);
  member.in_rotation = true;
  if (member.broken) ledger(member).end();
  const auto index = static_cast<std::size_t>(*member.seat);
  if (by_seat_.size() <= index) by_seat_.resize(index + 1);
  by_seat_[index] = &member;
  for (const core::ListenerIndex listener : member.serves) begin_to_serve(member, listener);
  turn();
}

void Dispatcher::leave_rotation(ChildId child) {
  const auto found = members_.find(child);
  if (found == members_.end()) return;
  Member& member = *found->second;
  // One that never was in it may serve all the same, from a socket that it shares.
  if (!member.seat) return member.lane->end();
  if (!std::exchange(member.in_rotation, false)) return;
  if (stopping_) {
    // All leave, and there is nobody else to give anything to: each finishes what it was offered,
    // and goes on taking what still waits. See end_the_leaving().
    member.leaving = true;
  } else if (is_last_of_what_goes(member)) {
    // Nobody comes after it who could take what waits for that, so it does, and nothing else.
    member.leaving = true;
    std::erase_if(member.serves, [&](core::ListenerIndex index) {
      if (sources_[index].suspended) return false;
      balancer_.serve_no_more(*member.seat, index);
      return true;
    });
  } else {
    ledger(member).end();
    balancer_.retire(*member.seat);
    take_back(member, Clock::now());
    member.lane->end();
  }
  turn();
}

bool Dispatcher::is_last_of_what_goes(const Member& member) const {
  return std::any_of(member.serves.begin(), member.serves.end(), [&](core::ListenerIndex index) {
    return sources_[index].suspended && !serves(index);
  });
}

/// The listener on the same address whose workers go on with what `listener` has accepted, when its
/// own are gone: a reload has changed its settings. Itself, if there is none.
core::ListenerIndex Dispatcher::heir_of(core::ListenerIndex listener) const {
  const os::Listener* its = sources_[listener].listener;
  if (its == nullptr || balancer_.served(listener)) return listener;
  for (core::ListenerIndex other = 0; other < core::kMaxListeners; ++other) {
    const os::Listener* another = sources_[other].listener;
    if (another == nullptr || other == listener || !balancer_.served(other)) continue;
    if (another->text() == its->text()) return other;
  }
  return listener;
}

void Dispatcher::refuse(ChildId child) {
  const auto found = members_.find(child);
  if (found == members_.end() || !found->second->seat) return;
  take_back(*found->second, Clock::now());
  found->second->closed_until = Clock::now() + kPause;
  turn_after_pause();
  turn();
}

Dispatcher::LaneStatus Dispatcher::forget(ChildId child) {
  const auto found = members_.find(child);
  if (found == members_.end()) return {};
  Member& member = *found->second;
  LaneStatus last = status(child);
  if (member.seat) {
    ledger(member).end();
    balancer_.retire(*member.seat);
    take_back(member, Clock::now());
    last = status(child);
    by_seat_[static_cast<std::size_t>(*member.seat)] = nullptr;
    balancer_.leave(*member.seat);
  }
  for (core::ListenerIndex index = 0; index < core::kMaxListeners; ++index) {
    sources_[index].raced += member.lane->accepted(index);
  }
  // A grandchild may hold a copy of the eventfd, and then closing ours would not take it out.
  const int wake = member.lane->wake_fd();
  if (wake >= 0) ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_DEL, wake, nullptr);
  members_.erase(found);
  turn();
  return last;
}

void Dispatcher::stop_accepting() {
  if (stopping_) return;
  stopping_ = true;
  for (const Source& source : sources_) {
    if (source.listener != nullptr) source.listener->refuse_new();
  }
  // In accept race too: the workers accept from the same queue, and leave it when they are told of
  // the end. With nobody else to come, it is empty when it has once been.
  for (core::ListenerIndex index = 0; index < sources_.size(); ++index) {
    Source& source = sources_[index];
    if (source.listener == nullptr) continue;
    empty_queue(index);
    close(source);
  }
  turn();
}

bool Dispatcher::serves(core::ListenerIndex listener) const {
  return std::any_of(members_.begin(), members_.end(), [listener](const auto& entry) {
    const auto& serves = entry.second->serves;
    return entry.second->in_rotation && std::count(serves.begin(), serves.end(), listener) > 0;
  });
}

Dispatcher::LaneStatus Dispatcher::status(ChildId child) const {
  const auto found = members_.find(child);
  if (found == members_.end()) return {};
  const Member& member = *found->second;
  const Lane& lane = *member.lane;
  LaneStatus status;
  status.active = lane.active();
  status.requests = lane.requests();
  status.turns = lane.turns();
  for (core::ListenerIndex at = 0; at < core::kMaxListeners; ++at)
    status.taken += lane.accepted(at);
  if (member.seat) {
    status.pending = balancer_.ledger(*member.seat).pending();
    status.taken += balancer_.ledger(*member.seat).taken_in_all();
    status.took_at = balancer_.ledger(*member.seat).took_at();
  }
  return status;
}

std::uint64_t Dispatcher::accepted(core::ListenerIndex listener) const {
  std::uint64_t count = sources_[listener].accepted + sources_[listener].raced;
  for (const auto& [child, member] : members_) {
    count += member->lane->accepted(listener);
  }
  return count;
}

std::uint64_t Dispatcher::expired(core::ListenerIndex listener) const {
  return sources_[listener].expired;
}

std::uint32_t Dispatcher::waiting(core::ListenerIndex listener) const {
  return static_cast<std::uint32_t>(
      std::count_if(waiting_.begin(), waiting_.end(),
                    [listener](const Accepted& one) { return one.offer.listener == listener; }));
}

}  // namespace clusterd::runtime
