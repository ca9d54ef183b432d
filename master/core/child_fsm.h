#pragma once

#include "common/clock.h"
#include "master/core/child_events.h"

#include <cstdint>
#include <string>

namespace clusterd::core {

/// The life of one child, worker or agent, from fork to reaped:
///
///     spawned -> online -> ready -> draining -> terminating -> killing -> exited
///
/// Any state can be left for `exited` at any moment: the process is the truth, and only the
/// kernel's word that it has ended (pidfd) ends the machine. Everything else, a closed channel, a
/// broken line, an answer that never came, only hastens that word. Each state but `ready` and
/// `killing` has a deadline, so no child can stay on the way in or on the way out for ever.
enum class ChildState : std::uint8_t {
  spawned,      ///< forked; has not said hello
  online,       ///< said hello; starting up
  ready,        ///< takes connections (worker) or does its work (agent)
  draining,     ///< asked to leave: finishes what it holds, gets nothing new
  lost,         ///< its channel ended while the process lives: it should be exiting by itself
  terminating,  ///< TERM or ABRT was sent
  killing,      ///< KILL was sent
  exited,       ///< reaped; absorbs everything
};

struct ChildTimeouts {
  Duration ready{};
  Duration drain{};
  Duration kill{};
  /// It may hold connections before it is ready: nobody sees when it begins to accept.
  bool serves_at_once = false;
};

class ChildFsm {
 public:
  /// Born at fork. The first action, the timer for `ready`, is start()'s.
  explicit ChildFsm(ChildTimeouts timeouts) : timeouts_(timeouts) {}

  [[nodiscard]] ChildActions start(TimePoint now, TimerId fresh);

  /// `fresh` is used for at most one timer; the caller gives another number each time.
  [[nodiscard]] ChildActions step(TimePoint now, const ChildEvent& event, TimerId fresh);

  [[nodiscard]] ChildState state() const { return state_; }
  /// When the current state ends by force; meaningless in ready, killing and exited.
  [[nodiscard]] TimePoint deadline() const { return deadline_; }
  [[nodiscard]] bool planned() const { return asked_to_leave_; }
  [[nodiscard]] bool was_ready() const { return was_ready_; }

 private:
  struct Step;

  void on(Step& step, const SaidHello&);
  void on(Step& step, const SaidReady&);
  void on(Step& step, const AskedToLeave&);
  void on(Step& step, const Awaited& event);
  void on(Step& step, const AskedToDie&);
  void on(Step& step, const CutShort& event);
  void on(Step& step, const SaidSuicide& event);
  void on(Step& step, const Hung& event);
  void on(Step& step, const ChannelEnded&);
  void on(Step& step, const BrokeProtocol& event);
  void on(Step& step, const ChildTimer& event);
  void on(Step& step, const ProcessExited& event);

  void drain(Step& step);
  void terminate(Step& step, std::string why, Signal signal = Signal::terminate);
  void kill(Step& step, std::string why);
  void end_connections(Step& step);
  void wait(Step& step, Duration duration);

  ChildTimeouts timeouts_;
  ChildState state_ = ChildState::spawned;
  TimerId timer_{};
  TimePoint deadline_;
  std::string awaited_;  ///< before it is further
  bool asked_to_leave_ = false;
  bool was_ready_ = false;
};

[[nodiscard]] const char* to_string(ChildState state);

}  // namespace clusterd::core
