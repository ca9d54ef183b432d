#pragma once

#include "clusterd/agent.hpp"
#include "common/channel_client.h"
#include "common/clock.h"
#include "common/unique_fd.h"
#include "worker/src/messages.h"
#include "worker/src/outbox.h"
#include "worker/src/runs.h"

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace clusterd::detail {

/// What is behind an Agent.
struct AgentState {
  AgentState();
  AgentState(const AgentState&) = delete;
  AgentState& operator=(const AgentState&) = delete;
  ~AgentState();

  void say_ready();
  void dispatch(int timeout_ms);
  void watch(int fd, std::function<void()> on_readable);
  void unwatch(int fd);
  [[nodiscard]] bool finished() const;

  // Any thread may call these.
  void post(std::function<void()> call);
  void stop();
  void escaped(const std::exception_ptr& exception) noexcept;
  void failed(const std::string& what);

  void handle(std::uint64_t event);
  void on_channel();
  void on_changed();
  void on_watched(int fd);
  void channel_ended();
  void finish_turn();
  void flush();
  void watch_channel();
  void tell_error(const std::string& what) const;
  void wake() const;
  void add_to_epoll(int fd, std::uint32_t events, std::uint64_t data);
  /// Calls what the program gave us; what it throws goes no further.
  template <typename Call>
  void guarded(Call&& call) {
    try {
      std::forward<Call>(call)();
    } catch (...) {
      escaped(std::current_exception());
    }
  }

  UniqueFd epoll;
  UniqueFd changed;   ///< an eventfd: something is to be done that came from no descriptor
  UniqueFd deadline;  ///< a timer: `leave_at`
  std::optional<ChannelClient> channel;
  std::shared_ptr<Outbox> outbox;  ///< empty without a master
  std::shared_ptr<Messages> messages;
  std::unique_ptr<Runs> runs;
  std::map<int, std::shared_ptr<std::function<void()>>> watched;
  std::function<void()> stop_callback;
  std::function<void(std::string_view)> error_callback;
  std::atomic<std::thread::id> owner{std::this_thread::get_id()};  ///< runs this
  std::mutex calls_mutex;
  std::vector<std::function<void()>> calls;  ///< for the thread that runs this
  Duration drain_time{};
  std::optional<TimePoint> leave_at;  ///< whatever is to be finished then
  std::atomic<std::uint64_t> errors{0};
  std::atomic<bool> stopped{false};
  bool managed = false;
  bool ended = false;   ///< the channel
  bool leaves = false;  ///< when no run is open
  bool waits_writable = false;
};

}  // namespace clusterd::detail
