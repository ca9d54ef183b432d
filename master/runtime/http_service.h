#pragma once

#include "common/error.h"
#include "common/protocol.h"
#include "config/settings.h"
#include "master/core/cluster.h"
#include "master/os/listener.h"
#include "master/runtime/channel.h"
#include "master/runtime/counters.h"
#include "master/runtime/dispatcher.h"
#include "master/runtime/generations.h"
#include "master/runtime/messenger.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace clusterd::runtime {

/// The master's part of [http]: has the listener, which the agent serves, and answers what the
/// agent asks. Not more often than it is good for the master, and not as long as the agent has
/// something unread, so that one that is stopped or mad costs next to nothing.
class HttpService {
 public:
  struct Needs {
    const core::Cluster& cluster;
    Dispatcher& dispatcher;
    const Generations& generations;
    const Messenger& messenger;
  };

  /// `listener` is what the settings said at the start, if they said anything.
  HttpService(boost::asio::io_context& io, Needs needs, const config::Http& settings,
              std::optional<os::Listener> listener);

  [[nodiscard]] Counters& counters() { return counters_; }
  /// A worker has ended, and has done so much.
  void worker_gone(ChildId id, const LaneStatus& last);
  /// It is not there any more in a moment.
  void listener_goes(core::ListenerIndex index);

  /// The agent has said hello.
  void serve(std::shared_ptr<Channel> agent);
  void asked(const protocol::Report& report);

  // A reload: opens what the new settings say, and serves it when they are in force.
  [[nodiscard]] Result<void> prepare(const config::Http& settings);
  void commit();
  void abandon() { next_.reset(); }

  /// Where it is; empty if nowhere.
  [[nodiscard]] std::string address() const;

 private:
  struct Place {
    config::Http settings;
    std::optional<os::Listener> listener;
  };

  void hand_over();
  void answer();
  void answer_in(Duration delay);
  void look();
  void look_at(core::ListenerIndex index);

  Needs needs_;
  std::chrono::system_clock::time_point started_at_ = std::chrono::system_clock::now();
  Counters counters_;
  Place place_;
  std::optional<Place> next_;
  std::shared_ptr<Channel> agent_;
  std::optional<protocol::Report> waits_;  ///< the last that was asked, if it is not answered
  boost::asio::steady_timer timer_;
  bool timer_runs_ = false;
  TimePoint answered_at_{};
};

/// Opens what [http] says; nothing if it says nothing.
[[nodiscard]] Result<std::optional<os::Listener>> open_http(const config::Http& settings);

}  // namespace clusterd::runtime
