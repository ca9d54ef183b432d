#pragma once

#include "common/ids.h"
#include "master/core/balancer.h"
#include "master/os/listener.h"
#include "master/runtime/dispatcher_parts.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace clusterd::runtime {

/// Accepts on the round-robin listeners and hands the connections to the workers. The data path of
/// the master: one turn per wake-up, no allocation per connection, nothing that can block.
///
/// A turn: see what the workers took; give them what others gave back; accept and hand out until
/// the kernel's queue is empty or nobody has credit; then, before sleeping with copies of offered
/// connections in hand, ask the workers to be woken and look again.
class Dispatcher {
 public:
  using Options = DispatcherOptions;
  using Events = DispatcherEvents;
  using LaneStatus = runtime::LaneStatus;

  Dispatcher(boost::asio::io_context& io, Options options, Events events);

  /// For workers that join from now on, but for stall_timeout and max_connections, which are all
  /// workers'.
  void set_options(Options options);

  /// `listener` must live until it is removed. Accepting starts when a worker serves it.
  [[nodiscard]] Result<void> add_listener(core::ListenerIndex index, os::Listener& listener,
                                          config::Policy policy = config::Policy::round_robin,
                                          Duration queue_timeout = {});
  /// Takes what is in its kernel queue, for those that serve it, and lets nobody in any more.
  void suspend_listener(core::ListenerIndex index);
  [[nodiscard]] bool is_suspended(core::ListenerIndex at) const { return sources_[at].suspended; }
  [[nodiscard]] bool has_listener(core::ListenerIndex at) const { return sources_[at].listener; }
  /// As if it had not been suspended.
  void resume_listener(core::ListenerIndex index);
  /// It will not be resumed: who tries to connect is refused from now on.
  void close_listener(core::ListenerIndex index);
  /// Nobody serves it any more. What still waits for it is closed.
  void remove_listener(core::ListenerIndex index);

  [[nodiscard]] std::uint32_t window() const { return options_.window; }  ///< for a new lane
  /// A child that connections can be sent to.
  [[nodiscard]] Result<void> join(ChildId child, SlotId slot, std::unique_ptr<Lane> lane);
  /// The child serves the listener, once it is in the rotation.
  void serve(ChildId child, core::ListenerIndex listener);
  void serve_no_more(ChildId child, core::ListenerIndex listener);
  void enter_rotation(ChildId child);
  /// No more connections for it; what it has not taken goes to others, or waits for them.
  void leave_rotation(ChildId child);
  /// It could not receive all the descriptors that it was offered.
  void refuse(ChildId child);
  /// Its process is gone. Gives what it has done in all.
  LaneStatus forget(ChildId child);

  /// Takes what is in the kernel's queues, and closes the listeners, for good. The workers, which
  /// are asked to leave now, get what was taken before they are told of the end.
  void stop_accepting();
  [[nodiscard]] bool is_stopping() const { return stopping_; }
  void refresh() { turn(); }  ///< sees what the workers took: what follows is of now
  void look_soon();           ///< a lane knows something new
  [[nodiscard]] LaneStatus status(ChildId child) const;
  [[nodiscard]] std::uint64_t accepted(core::ListenerIndex listener) const;
  /// Connections reset since they waited for longer than queue_timeout.
  [[nodiscard]] std::uint64_t expired(core::ListenerIndex listener) const;
  /// Accepted connections that wait in the master for a worker.
  [[nodiscard]] std::uint32_t waiting(core::ListenerIndex listener) const;

 private:
  using Source = DispatcherSource;
  using Member = DispatcherMember;
  /// In the data of an epoll event: an eventfd, and whose; else the event is a listener's.
  static constexpr std::uint64_t kWakeEvent = 1ULL << 32;
  /// How long to leave off when somebody is out of descriptors or memory.
  static constexpr auto kPause = std::chrono::milliseconds(100);

  void wait();
  void turn();
  void note_events();
  void collect(TimePoint now);
  bool collect_one(Member& member, TimePoint now);
  void check_dropped(Member& member, TimePoint now);
  void place_waiting(TimePoint now);
  [[nodiscard]] std::optional<Accepted> accept_one(core::ListenerIndex index);
  [[nodiscard]] bool accept_from(core::ListenerIndex index, TimePoint now);
  [[nodiscard]] bool may_accept(core::ListenerIndex index) const;
  void hand_out(Accepted connection, TimePoint now);
  bool send(Member& member);
  void send_all(TimePoint now);
  void end_the_leaving();
  [[nodiscard]] bool ask_for_wake(TimePoint now);
  [[nodiscard]] bool asked_for_room(Member& member);
  void empty_queue(core::ListenerIndex index);
  void close(Source& source);
  void begin_to_serve(Member& member, core::ListenerIndex listener);
  void arm_listeners();
  void arm(Source& source, core::ListenerIndex index, bool wanted);

  // dispatcher_care.cpp
  void watch_stalls();
  void check_stalls();
  void take_back(Member& member, TimePoint now);
  void break_off(Member& member, std::string how);
  void retry_soon();
  [[nodiscard]] bool needs_room() const;
  void look_again_later();
  void watch_queues();
  void check_queue(core::ListenerIndex index, TimePoint now);
  [[nodiscard]] bool queue_grows_old(core::ListenerIndex index) const;
  void turn_after_pause();
  [[nodiscard]] bool serves(core::ListenerIndex listener) const;
  [[nodiscard]] core::ListenerIndex heir_of(core::ListenerIndex listener) const;
  [[nodiscard]] bool is_last_of_what_goes(const Member& member) const;
  [[nodiscard]] core::OfferLedger& ledger(Member& member) { return balancer_.ledger(*member.seat); }

  boost::asio::io_context& io_;
  Options options_;
  Events events_;
  boost::asio::posix::stream_descriptor epoll_;  ///< listeners and eventfds, as one descriptor
  boost::asio::steady_timer stall_timer_;
  boost::asio::steady_timer retry_timer_;
  boost::asio::steady_timer copies_timer_;
  boost::asio::steady_timer pause_timer_;
  boost::asio::steady_timer queue_timer_;
  bool stall_timer_runs_ = false;
  bool retry_timer_runs_ = false;
  bool copies_timer_runs_ = false;
  bool pause_timer_runs_ = false;
  bool queue_timer_runs_ = false;
  bool turn_posted_ = false;
  bool stopping_ = false;
  core::Balancer balancer_;
  std::array<Source, core::kMaxListeners> sources_;
  std::vector<core::ListenerIndex> handing_out_;  ///< those of sources_ that have a listener
  std::map<ChildId, std::unique_ptr<Member>> members_;
  std::vector<Member*> by_seat_;
  std::deque<Accepted> waiting_;
};

}  // namespace clusterd::runtime
