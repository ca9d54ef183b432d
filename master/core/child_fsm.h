#pragma once

#include "common/clock.h"
#include "master/core/exit_status.h"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

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
  terminating,  ///< TERM was sent
  killing,      ///< KILL was sent
  exited,       ///< reaped; absorbs everything
};

enum class Signal : std::uint8_t { terminate, kill };

/// A fresh number for each timer, so that one that fires late is told from the one awaited.
enum class TimerId : std::uint64_t {};

struct ChildTimeouts {
  Duration ready{};
  Duration drain{};
  Duration kill{};
};

// What can happen to a child.
struct SaidHello {};
struct SaidReady {};
struct AskedToLeave {};
struct AskedToDie {};
struct ChannelEnded {};
struct BrokeProtocol {
  std::string how;
};
struct ChildTimer {
  TimerId id{};
};
struct ProcessExited {
  ExitStatus status;
  std::string last_words{};  ///< the end of what it printed on stderr
};
using ChildEvent = std::variant<SaidHello, SaidReady, AskedToLeave, AskedToDie, ChannelEnded,
                                BrokeProtocol, ChildTimer, ProcessExited>;

// What is to be done about it.
struct CameOnline {
  friend bool operator==(const CameOnline&, const CameOnline&) = default;
};
struct BecameReady {
  friend bool operator==(const BecameReady&, const BecameReady&) = default;
};
/// No connection goes to it any more, those it has not taken are taken back, and it is told so.
struct EndConnections {
  friend bool operator==(const EndConnections&, const EndConnections&) = default;
};
struct SendSignal {
  Signal signal{};
  std::string why;  ///< for the log: which promise was not kept
  friend bool operator==(const SendSignal&, const SendSignal&) = default;
};
struct SetTimer {
  TimerId id{};
  TimePoint at;
  friend bool operator==(const SetTimer&, const SetTimer&) = default;
};
/// Emitted once, last.
struct ChildGone {
  ExitStatus status;
  bool planned = false;    ///< we asked for it
  bool was_ready = false;  ///< it had been ready at any time
  friend bool operator==(const ChildGone&, const ChildGone&) = default;
};
using ChildAction =
    std::variant<CameOnline, BecameReady, EndConnections, SendSignal, SetTimer, ChildGone>;
using ChildActions = std::vector<ChildAction>;

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

 private:
  struct Step;

  void on(Step& step, const SaidHello&);
  void on(Step& step, const SaidReady&);
  void on(Step& step, const AskedToLeave&);
  void on(Step& step, const AskedToDie&);
  void on(Step& step, const ChannelEnded&);
  void on(Step& step, const BrokeProtocol&);
  void on(Step& step, const ChildTimer&);
  void on(Step& step, const ProcessExited&);

  void terminate(Step& step, std::string why);
  void kill(Step& step, std::string why);
  void end_connections(Step& step);
  void wait(Step& step, Duration duration);

  ChildTimeouts timeouts_;
  ChildState state_ = ChildState::spawned;
  TimerId timer_{};
  TimePoint deadline_;
  bool asked_to_leave_ = false;
  bool was_ready_ = false;
};

[[nodiscard]] const char* to_string(ChildState state);

}  // namespace clusterd::core
