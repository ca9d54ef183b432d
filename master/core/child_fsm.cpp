#include "master/core/child_fsm.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace clusterd::core {
namespace {

/// The end of the channel.
constexpr Duration kExitFollows = std::chrono::seconds(1);

std::string after_colon(const std::string& text) { return text.empty() ? "" : ": " + text; }

}  // namespace

struct ChildFsm::Step {
  TimePoint now;
  TimerId fresh;
  ChildActions actions;
};

ChildActions ChildFsm::start(TimePoint now, TimerId fresh) {
  Step step{now, fresh, {}};
  wait(step, timeouts_.ready);
  return std::move(step.actions);
}

ChildActions ChildFsm::step(TimePoint now, const ChildEvent& event, TimerId fresh) {
  Step step{now, fresh, {}};
  if (state_ != ChildState::exited) {
    std::visit([&](const auto& what) { on(step, what); }, event);
  }
  return std::move(step.actions);
}

void ChildFsm::on(Step& step, const SaidHello&) {
  switch (state_) {
    case ChildState::spawned:
      state_ = ChildState::online;
      awaited_.clear();
      step.actions.emplace_back(CameOnline{});
      break;
    case ChildState::online:
    case ChildState::ready:
    case ChildState::draining:
      kill(step, "it said hello twice");
      break;
    case ChildState::lost:         // read from the channel's buffer after its end was noticed
    case ChildState::terminating:  // it started while our TERM was on the way
    case ChildState::killing:
    case ChildState::exited:
      break;
  }
}

void ChildFsm::on(Step& step, const SaidReady&) {
  switch (state_) {
    case ChildState::spawned:
      kill(step, "it said ready before hello");
      break;
    case ChildState::online:
      state_ = ChildState::ready;
      was_ready_ = true;
      timer_ = {};
      step.actions.emplace_back(BecameReady{});
      break;
    case ChildState::ready:        // saying so again is harmless
    case ChildState::draining:     // crossed with our order to leave
    case ChildState::lost:         // as for hello
    case ChildState::terminating:  // as for hello
    case ChildState::killing:
    case ChildState::exited:
      break;
  }
}

void ChildFsm::on(Step& /*step*/, const Awaited& event) { awaited_ = event.what; }

void ChildFsm::on(Step& step, const AskedToLeave&) {
  asked_to_leave_ = true;
  switch (state_) {
    case ChildState::online:
      if (timeouts_.serves_at_once) {
        drain(step);
        break;
      }
      [[fallthrough]];
    case ChildState::spawned:
      // It holds no connection yet: there is nothing to finish.
      terminate(step, "it was asked to leave before it was ready");
      break;
    case ChildState::ready:
      drain(step);
      break;
    case ChildState::draining:
    case ChildState::lost:
    case ChildState::terminating:
    case ChildState::killing:
    case ChildState::exited:
      break;  // on its way out already
  }
}

void ChildFsm::on(Step& step, const AskedToDie&) {
  asked_to_leave_ = true;
  kill(step, "it was asked to die at once");
}

void ChildFsm::on(Step& step, const CutShort& event) {
  if (state_ == ChildState::draining) terminate(step, event.why);
}

void ChildFsm::on(Step& step, const SaidSuicide& event) {
  switch (state_) {
    case ChildState::spawned:
      kill(step, "it said suicide before hello");
      break;
    case ChildState::ready:
      end_connections(step);
      [[fallthrough]];
    case ChildState::online:
      state_ = ChildState::draining;
      step.actions.emplace_back(Departs{Departs::Cause::suicide, event.reason});
      wait(step, timeouts_.drain);
      break;
    case ChildState::draining:  // it leaves already, and its place is another's
    case ChildState::lost:
    case ChildState::terminating:
    case ChildState::killing:
    case ChildState::exited:
      break;
  }
}

void ChildFsm::on(Step& step, const Hung& event) {
  // In every other state a deadline runs, which is as good.
  if (state_ != ChildState::ready) return;
  end_connections(step);
  step.actions.emplace_back(Departs{Departs::Cause::hang, event.how});
  // ABRT leaves a core where that is wanted. One that is stopped gets it when it goes on.
  terminate(step, event.how, Signal::abort);
}

void ChildFsm::on(Step& step, const ChannelEnded&) {
  switch (state_) {
    case ChildState::ready:
      end_connections(step);
      [[fallthrough]];
    case ChildState::spawned:
    case ChildState::online:
    case ChildState::draining:
      // The end of the channel mostly comes a moment before the end of the process, and a signal
      // now would spoil its exit status. A process that lives on without a channel is of no use;
      // but it may have something to tidy up when it hears that (Egg's workers wait for TERM).
      state_ = ChildState::lost;
      if (const Duration grace = std::min(timeouts_.kill, kExitFollows);
          timer_ == TimerId{} ||
          deadline_ > step.now + grace) {  // it gets no more time than it had
        wait(step, grace);
      }
      break;
    case ChildState::lost:
    case ChildState::terminating:
    case ChildState::killing:
    case ChildState::exited:
      break;
  }
}

void ChildFsm::on(Step& step, const BrokeProtocol& event) { kill(step, event.how); }

void ChildFsm::on(Step& step, const ChildTimer& event) {
  if (event.id != timer_ || timer_ == TimerId{}) return;  // a timer of a state it has left
  switch (state_) {
    case ChildState::spawned:
      terminate(step, "it said no hello within ready_timeout" + after_colon(awaited_));
      break;
    case ChildState::online:
      terminate(step, "it was not ready within ready_timeout" + after_colon(awaited_));
      break;
    case ChildState::draining:
      terminate(step, "it was not drained within drain_timeout");
      break;
    case ChildState::lost:
      terminate(step, "it closed its channel and lives on");
      break;
    case ChildState::terminating:
      kill(step, "it did not end within kill_timeout after a signal");
      break;
    case ChildState::ready:
    case ChildState::killing:
    case ChildState::exited:
      break;  // these set no timer
  }
}

void ChildFsm::on(Step& step, const ProcessExited& event) {
  if (state_ == ChildState::ready) end_connections(step);
  state_ = ChildState::exited;
  timer_ = {};
  step.actions.emplace_back(ChildGone{event.status, asked_to_leave_, was_ready_, event.last_words});
}

void ChildFsm::drain(Step& step) {
  state_ = ChildState::draining;
  end_connections(step);
  wait(step, timeouts_.drain);
}

void ChildFsm::terminate(Step& step, std::string why, Signal signal) {
  state_ = ChildState::terminating;
  step.actions.emplace_back(SendSignal{signal, std::move(why)});
  wait(step, timeouts_.kill);
}

void ChildFsm::kill(Step& step, std::string why) {
  if (state_ == ChildState::killing) return;
  // KILL goes first: a worker that hears that its connections end may be idle, and exit with 0
  // before the signal comes. Then it would not be told as killed.
  step.actions.emplace_back(SendSignal{Signal::kill, std::move(why)});
  if (state_ == ChildState::ready) end_connections(step);
  state_ = ChildState::killing;
  timer_ = {};
}

void ChildFsm::end_connections(Step& step) { step.actions.emplace_back(EndConnections{}); }

void ChildFsm::wait(Step& step, Duration duration) {
  timer_ = step.fresh;
  deadline_ = step.now + duration;
  step.actions.emplace_back(SetTimer{timer_, deadline_});
}

const char* to_string(ChildState state) {
  switch (state) {
    case ChildState::spawned:
      return "spawned";
    case ChildState::online:
      return "online";
    case ChildState::ready:
      return "ready";
    case ChildState::draining:
      return "draining";
    case ChildState::lost:
      return "lost";
    case ChildState::terminating:
      return "terminating";
    case ChildState::killing:
      return "killing";
    case ChildState::exited:
      return "exited";
  }
  return "?";
}

}  // namespace clusterd::core
