#pragma once

#include "common/clock.h"
#include "common/ids.h"
#include "master/core/child_fsm.h"

#include <string>
#include <variant>
#include <vector>

/// What goes into the cluster's machine, and what comes out.
namespace clusterd::core {

// What happens. The child's id is the one that Spawn named.
struct Start {};
struct ChildHappened {
  ChildId child;
  ChildEvent event;
};
struct TimerFired {
  TimerId id{};
};
struct StopRequested {
  bool now = false;  ///< do not drain
};
using Event = std::variant<Start, ChildHappened, TimerFired, StopRequested>;

/// How it all ended.
struct Outcome {
  enum class Kind : std::uint8_t {
    stopped,       ///< as asked
    never_started  ///< a child could not be brought up; `why` says which and how
  };
  Kind kind = Kind::stopped;
  std::string why;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// How a slot's last child ended.
struct LastExit {
  ExitStatus status;
  bool planned = false;
  std::string why;  ///< the reason we gave it a signal for; empty if we gave none
};

/// What there is to tell: the log's lines.
struct Note {
  enum class Kind : std::uint8_t { forked, online, ready, drain, gone, backing_off, all_ready };
  Kind kind{};
  ChildId child;
  SlotId slot{};         ///< for workers
  ExitStatus status;     ///< gone
  bool planned = false;  ///< gone
  Duration time{};       ///< ready, all_ready: since start; gone: uptime; backing_off: the delay
  std::string why;       ///< gone: the reason we gave it a signal for
};

// What is to be done, in this order.
struct Spawn {
  ChildId child;
  SlotId slot{};
  Generation generation{};
};
struct EnterRotation {
  ChildId child;
};
struct LeaveRotation {
  ChildId child;
};
struct SignalChild {
  ChildId child;
  Signal signal{};
  std::string why;
};
/// The process is gone: everything held for it can go.
struct Forget {
  ChildId child;
};
struct StopAccepting {};
/// Every child is ready for the first time.
struct AnnounceReady {};
struct Finish {
  Outcome outcome;
};
using Action = std::variant<Spawn, EnterRotation, LeaveRotation, SignalChild, Forget, SetTimer,
                            StopAccepting, AnnounceReady, Finish, Note>;
using Actions = std::vector<Action>;

}  // namespace clusterd::core
