#pragma once

#include "config/settings.h"
#include "master/core/cluster.h"
#include "master/runtime/child.h"
#include "master/runtime/control_server.h"
#include "master/runtime/dispatcher.h"
#include "master/runtime/event_log.h"
#include "master/runtime/generations.h"
#include "master/runtime/health.h"
#include "master/runtime/hooks.h"
#include "master/runtime/http_service.h"
#include "master/runtime/log_service.h"
#include "master/runtime/log_tail.h"
#include "master/runtime/messenger.h"
#include "master/runtime/node_listeners.h"
#include "master/runtime/notifications.h"
#include "master/runtime/operator_messages.h"
#include "master/runtime/outside.h"
#include "master/runtime/rollouts.h"
#include "master/runtime/scheduler.h"
#include "master/runtime/service_manager.h"
#include "master/runtime/timers.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <deque>
#include <map>
#include <memory>
#include <vector>

namespace clusterd::runtime {

/// Where core and kernel meet. Every fact (a process ended, a line came, a timer fired, somebody
/// asked) becomes an event of the core; every action that the core answers with is carried out
/// here, in its order. Decides nothing.
class Supervisor {
 public:
  /// `sets` are what --set said. Signals that were held come from run() on.
  Supervisor(const config::Settings& settings, std::vector<std::string> sets, Resources resources,
             Outside outside = {});

  /// Lives until the cluster is finished. Says how that came about.
  [[nodiscard]] core::Outcome run();

 private:
  void handle(core::Event event);
  void happened(ChildId child, core::ChildEvent event);

  void carry_out(const core::EnterRotation& action);
  void takes_runs(ChildId id);
  void carry_out(const core::LeaveRotation& action);
  void carry_out(const core::SignalChild& action);
  void carry_out(const core::SetTimer& action);
  void carry_out(const core::StopAccepting&);
  void carry_out(const core::AnnounceReady&);
  void carry_out(const core::RolloutCommitted& action);
  void carry_out(const core::RolloutEnded& action);
  void carry_out(const core::Finish& action);
  void carry_out(const core::Note& note);

  void keep_log_flowing();
  [[nodiscard]] const config::Settings& settings() const {
    return generations_.settings(rollouts_.in_force());
  }
  [[nodiscard]] Dispatcher::Events dispatcher_events();

  // supervisor_children.cpp: how they come and go.
  void carry_out(const core::Spawn& spawn);
  void carry_out(const core::Forget& action);
  [[nodiscard]] Result<std::unique_ptr<Child>> spawn(const core::Spawn& spawn);
  [[nodiscard]] DialogueNeeds dialogue_needs();
  void watch_exit(ChildId id);
  void on_exit(ChildId id);
  [[nodiscard]] const config::Settings& settings_of(ChildId id) const;

  // supervisor_care.cpp: who is hung, who is to be recycled, what is heard by NOTIFY_SOCKET.
  [[nodiscard]] Health::Events health_events();
  void look_after(ChildId id);
  void on_hang(ChildId id, const std::string& evidence, std::string why);
  void on_notice(ChildId id, const notify::Said& said);

  // supervisor_orders.cpp: what an operator asks for, by a signal or on the control socket.
  void watch_signals();
  void on_signal(int number);
  [[nodiscard]] Result<std::string> reopen_log();
  void reload_logs();
  [[nodiscard]] bool obey(const std::string& verb, const CheckedJson& request, const Reply& reply);
  void scale(std::int64_t workers, const Reply& reply);
  void with_worker_of(const CheckedJson& request, const Reply& reply,
                      const std::function<std::string(ChildId)>& order);
  void answer_scaling();
  void in_force(const config::Settings& settings);

  // supervisor_talk.cpp: what is told of it all, to the log, the hooks and who asks.
  [[nodiscard]] bool answer(const std::string& verb, const CheckedJson& request,
                            const Reply& reply);
  [[nodiscard]] std::string status() const;
  [[nodiscard]] Event about(ChildId id, std::string name) const;
  [[nodiscard]] Event about_master(std::string name) const;
  void record_start();
  void record_stop(const core::Event& cause);
  void on_stall(ChildId id, std::uint32_t count);
  void on_channel_end(ChildId id);

  boost::asio::io_context io_{1};
  Generations generations_;
  rlimit open_files_;
  Outside outside_;
  TimePoint started_at_ = Clock::now();
  core::Cluster cluster_;
  core::Outcome outcome_;
  std::deque<core::Event> events_;
  bool handling_ = false;

  Timers timers_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer log_timer_;
  Dispatcher dispatcher_;
  LogTail log_tail_;
  LogService log_service_;
  HttpService http_;
  Messenger messenger_;
  OperatorMessages operator_messages_{io_, messenger_, [this] { return cluster_.slots().size(); }};
  Rollouts rollouts_;
  Health health_;
  Notifications notifications_;
  std::vector<Reply> scaling_;  ///< who waits until the pool is as it was asked to be
  Hooks hooks_;
  EventLog event_log_;
  Scheduler scheduler_;
  NodeListeners node_listeners_;
  DialogueNeeds dialogue_needs_;
  std::map<ChildId, std::unique_ptr<Child>> children_;
  bool told_of_stop_ = false;
  ServiceManager manager_;
  ControlServer control_;
};

}  // namespace clusterd::runtime
