#include "master/runtime/supervisor.h"

#include "common/log.h"
#include "master/os/self.h"
#include "master/runtime/describe.h"
#include "master/runtime/orphanage.h"
#include "master/runtime/plan_of.h"

#include <algorithm>
#include <csignal>
#include <random>
#include <utility>

namespace clusterd::runtime {
namespace {

constexpr auto kLogFlush = std::chrono::milliseconds(50);

}  // namespace

Supervisor::Supervisor(const config::Settings& settings, std::vector<std::string> sets,
                       Resources resources, Outside outside)
    : generations_(Generation{1}, settings, std::move(resources.listeners),
                   std::move(resources.manager.sockets)),
      open_files_(resources.open_files),
      outside_(std::move(outside)),
      cluster_(plan_of(settings)),
      timers_(io_, [this](core::TimerId id) { handle(core::TimerFired{id}); }),
      signals_(io_, SIGTERM, SIGINT, SIGQUIT),
      log_timer_(io_),
      dispatcher_(io_, DispatcherOptions::of(settings.worker), dispatcher_events()),
      log_tail_(io_),
      log_service_(io_, settings.log, std::move(resources.log), [this] { reload_logs(); }),
      http_(io_, {cluster_, dispatcher_, generations_, messenger_}, settings.http,
            std::move(resources.http)),
      rollouts_(
          {.cluster = cluster_,
           .generations = generations_,
           .dispatcher = dispatcher_,
           .handle = [this](core::Event event) { handle(std::move(event)); },
           .last_words =
               [this](ChildId id) {
                 const auto found = children_.find(id);
                 return found == children_.end() ? "" : found->second->output.last_words();
               },
           .prepare = [this](const config::Settings& next) { return http_.prepare(next.http); },
           .abandon = [this] { http_.abandon(); },
           .in_force = [this](const config::Settings& now) { in_force(now); }},
          std::move(sets)),
      health_(io_, std::random_device()(), health_events()),
      notifications_(io_, [this](ChildId id, const notify::Said& said) { on_notice(id, said); }),
      hooks_(io_, settings, open_files_),
      event_log_([this](const std::string& name, const std::string& json) {
        http_.counters().event(name);
        hooks_.run(name, json);
      }),
      scheduler_(
          {.io = io_,
           .messenger = messenger_,
           .log_tail = log_tail_,
           .settings = [this]() -> const config::Settings& { return this->settings(); },
           .record = [this](const Event& event, bool keep) { event_log_.record(event, keep); },
           .count = [this](const core::schedule::Ended& run) { http_.counters().ran(run); }},
          open_files_),
      node_listeners_(generations_, dispatcher_),
      dialogue_needs_(dialogue_needs()),
      manager_(io_, std::move(resources.manager.notify), resources.manager.watchdog, cluster_),
      control_(
          io_, std::move(resources.control),
          [this](const std::string& verb, const CheckedJson& request, const Reply& reply) {
            return answer(verb, request, reply);
          },
          {"status", "stop", "recycle", "kill", "reopen", "schedules"},
          settings.control.group ? std::optional(settings.control.group->gid) : std::nullopt) {}

Dispatcher::Events Supervisor::dispatcher_events() {
  return {
      .broke_protocol = [this](
                            ChildId id,
                            std::string how) { happened(id, core::BrokeProtocol{std::move(how)}); },
      .stalled = [this](ChildId id, std::uint32_t count) { on_stall(id, count); },
      .accept_failed = [](const Error& error) { log::error(error.message()); },
      .expired =
          [this](core::ListenerIndex index, std::uint64_t count) {
            log::warn(std::to_string(count) + " connections to " + generations_.listen(index).name +
                      " were reset: nobody was ready within queue_timeout");
          },
      .removing = [this](core::ListenerIndex index) { http_.listener_goes(index); }};
}

core::Outcome Supervisor::run() {
  log::on_waiting([this] { keep_log_flowing(); });
  for (const core::ListenerIndex index : generations_.indices()) {
    const config::Listen& listen = generations_.listen(index);
    if (generations_.listener(index)->is_datagram()) continue;
    if (auto added = dispatcher_.add_listener(index, *generations_.listener(index), listen.policy,
                                              listen.queue_timeout);
        !added) {
      return {core::Outcome::Kind::never_started, added.error().message()};
    }
  }
  for (const int signal : {SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2}) signals_.add(signal);
  watch_signals();
  os::release_signals();
  const Orphanage orphanage(io_, [this](pid_t pid) {
    return hooks_.owns(pid) || scheduler_.owns(pid) ||
           std::any_of(children_.begin(), children_.end(),
                       [pid](auto& each) { return each.second->process.pid() == pid; });
  });
  messenger_.configure(settings().messages);
  record_start();
  manager_.start();
  handle(core::Start{});
  io_.run();
  os::hold_signals();  // for good: one that comes now must not be how it ends
  log::on_waiting(nullptr);
  return outcome_;
}

/// Events that an action raises wait until the actions before it are all carried out, so that the
/// core never sees a half-done step.
void Supervisor::handle(core::Event event) {
  events_.push_back(std::move(event));
  if (std::exchange(handling_, true)) return;
  while (!events_.empty()) {
    const core::Event next = std::move(events_.front());
    events_.pop_front();
    const core::Actions actions = cluster_.step(Clock::now(), next);
    record_stop(next);
    for (const core::Action& action : actions) {
      std::visit([this](const auto& what) { carry_out(what); }, action);
    }
  }
  handling_ = false;
  manager_.look();
  answer_scaling();
  rollouts_.proceed();
}

void Supervisor::happened(ChildId child, core::ChildEvent event) {
  handle(core::ChildHappened{child, std::move(event)});
}

void Supervisor::carry_out(const core::EnterRotation& action) {
  if (action.child.role == Role::worker) dispatcher_.enter_rotation(action.child);
  messenger_.set_ready(action.child, true);
  look_after(action.child);
  children_.at(action.child)->dialogue->entered_rotation();
  takes_runs(action.child);
}

/// It is ready; so runs of schedules may be its, if it takes messages.
void Supervisor::takes_runs(ChildId id) {
  if (!messenger_.has(id)) return;
  const Child& child = *children_.at(id);
  std::optional<SlotId> slot;
  if (id.role == Role::worker) slot = cluster_.children().at(id).slot;
  scheduler_.joined(id, {slot, child.process.pid(), child.generation});
}

void Supervisor::carry_out(const core::LeaveRotation& action) {
  messenger_.set_ready(action.child, false);
  scheduler_.left(action.child);
  health_.unwatch(action.child);
  if (action.child.role == Role::worker) dispatcher_.leave_rotation(action.child);
  const auto found = children_.find(action.child);
  if (found != children_.end()) found->second->dialogue->left_rotation();
}

void Supervisor::carry_out(const core::SignalChild& action) {
  const auto found = children_.find(action.child);
  if (found == children_.end()) return;
  const auto& fsm = cluster_.children().at(action.child).fsm;
  const char* name = "TERM";
  if (action.signal == core::Signal::abort) name = "ABRT";
  if (action.signal == core::Signal::kill) name = "KILL";
  log::write(fsm.planned() ? log::Level::info : log::Level::warn,
             to_string(action.child) + ": sending " + name + ", since " + action.why);
  switch (action.signal) {
    case core::Signal::terminate:
      return found->second->process.signal(SIGTERM);
    case core::Signal::abort:
      return found->second->process.signal(SIGABRT);
    case core::Signal::kill:
      return found->second->process.kill();
  }
}

void Supervisor::carry_out(const core::SetTimer& action) { timers_.set(action.id, action.at); }

void Supervisor::carry_out(const core::StopAccepting&) {
  dispatcher_.stop_accepting();
  for (const core::ListenerIndex index : generations_.indices()) {
    generations_.listener(index)->close();
  }
}

void Supervisor::carry_out(const core::AnnounceReady&) {
  for (const core::ListenerIndex index : generations_.indices()) {
    log::info("serving " + generations_.listen(index).name + " on " +
              generations_.listener(index)->text());
  }
  if (!http_.address().empty()) log::info("health and metrics on " + http_.address());
  messenger_.cluster_is_ready();
  scheduler_.begin();
  if (outside_.all_ready) outside_.all_ready();
}

void Supervisor::carry_out(const core::RolloutCommitted&) { rollouts_.committed(); }

void Supervisor::carry_out(const core::RolloutEnded& action) {
  manager_.look();  // before `clusterd reload` ends: a manager that waits for both is not misled
  rollouts_.ended(action);
}

void Supervisor::carry_out(const core::Finish& action) {
  outcome_ = action.outcome;
  manager_.finish(describe(outcome_));
  log_tail_.end();
  scheduler_.finish([this] { hooks_.finish([this] { io_.stop(); }); });
}

void Supervisor::keep_log_flowing() {
  log_timer_.expires_after(kLogFlush);
  log_timer_.async_wait([this](boost::system::error_code error) {
    if (!error && !log::flush()) keep_log_flowing();
  });
}

}  // namespace clusterd::runtime
