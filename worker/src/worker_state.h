#pragma once

#include "clusterd/worker.hpp"
#include "common/channel_client.h"
#include "common/clock.h"
#include "worker/src/messages.h"
#include "worker/src/offer_queue.h"
#include "worker/src/outbox.h"
#include "worker/src/runs.h"
#include "worker/src/tally.h"

#include <atomic>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace clusterd::detail {

/// One listener of this worker. `socket` is the shared (accept race) or own (no master) listening
/// socket; without one its connections come through the offer queue.
struct ListenerState {
  std::string address;
  UniqueFd socket;
  std::uint32_t index = 0;  ///< the master's number for it
  Worker::Handler handler;  ///< who gets the next connection; empty = nobody asks
  bool for_ever = false;    ///< the handler stays after a connection
  bool armed = false;       ///< the socket is in the epoll set
};

/// What is behind a Worker.
struct WorkerState {
  WorkerState();
  WorkerState(const WorkerState&) = delete;
  WorkerState& operator=(const WorkerState&) = delete;
  ~WorkerState();

  Worker::ListenerId open(const Endpoint& endpoint);
  void want(Worker::ListenerId id, Worker::Handler handler, bool for_ever);
  void say_ready();
  void dispatch(int timeout_ms);
  void watch(int fd, std::function<void()> on_readable);
  void unwatch(int fd);
  [[nodiscard]] bool finished() const;

  // Any thread may call these.
  void post(std::function<void()> call);
  void suicide(std::string_view reason);
  /// An exception that a handler let out: said on stderr, and the reason of a suicide.
  void escaped(const std::exception_ptr& exception) noexcept;
  [[nodiscard]] bool in_its_thread() const {
    return owner.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }

  [[nodiscard]] int open_datagram(const Endpoint& endpoint);
  /// Fill in the listener; give whether it is a UDP one.
  [[nodiscard]] bool open_managed(const Endpoint& endpoint, ListenerState& listener);
  void open_own(const Endpoint& endpoint, int type, ListenerState& listener);
  void handle(std::uint64_t event);
  void on_changed();
  void finish_turn();
  void say(const std::string& line);
  void on_channel();
  void on_message(protocol::FromMaster message);
  void on_offers();
  void on_listening_socket(ListenerState& listener);
  void give_out();
  void deliver(ListenerState& listener, int fd, const Peer& peer);
  void arm(ListenerState& listener, bool wanted);
  void read_offers(bool wanted);
  void pause_accepting();
  void go_on_accepting();
  void begin_drain();
  bool take_no_more() noexcept;
  void leave_of_own_accord();
  void leave_within(Duration time);
  void master_is_gone();
  /// Calls what the program gave us; what it throws goes no further.
  template <typename Call>
  void guarded(Call&& call) {
    try {
      std::forward<Call>(call)();
    } catch (...) {
      escaped(std::current_exception());
    }
  }
  void add_to_epoll(int fd, std::uint32_t events, std::uint64_t data);
  [[nodiscard]] ListenerState* by_index(std::uint32_t index);

  UniqueFd epoll;
  UniqueFd deadline;  ///< a timer: `leave_at`
  UniqueFd pause;     ///< a timer: the end of `pausing`
  std::optional<ChannelClient> channel;
  std::shared_ptr<Outbox> outbox;  ///< empty without a master
  std::shared_ptr<Messages> messages;
  std::shared_ptr<Tally> tally;
  std::unique_ptr<Runs> runs;
  std::unique_ptr<OfferQueue> offers;
  std::vector<std::unique_ptr<ListenerState>> listeners;
  std::vector<UniqueFd> datagrams;
  std::map<int, std::shared_ptr<std::function<void()>>> watched;
  std::function<void()> drain_callback;
  std::atomic<std::thread::id> owner{std::this_thread::get_id()};  ///< who runs this
  std::mutex calls_mutex;
  std::vector<std::function<void()>> calls;  ///< from other threads, for this one
  std::int64_t next_seq = 1;
  Duration drain_time = std::chrono::seconds(5);  ///< as the master has it, if there is one
  std::optional<TimePoint> leave_at;              ///< whatever is open then
  std::atomic<bool> suicidal{false};
  std::atomic<bool> takes_nothing{false};  ///< no connection that it has not taken yet
  bool leaves_by_itself = false;           ///< `suicidal` has been acted on
  bool orphaned = false;                   ///< the master is gone
  bool managed = false;
  bool pausing = false;   ///< accepts nothing: it is short of descriptors or memory
  bool draining = false;  ///< as `tally->draining`, which other threads may read
  bool waits_writable = false;
  bool offers_ended = false;
  bool reading_offers = true;
};

}  // namespace clusterd::detail
