#pragma once

#include "common/clock.h"
#include "common/ids.h"
#include "master/core/child_fsm.h"
#include "master/core/plan.h"

#include <optional>
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
/// A new generation is to take over: the same as before, or as the plan says. One at a time:
/// Cluster::can_roll_out().
struct RolloutRequested {
  Plan plan;
};
/// From now on so many workers; at least one.
struct ScaleRequested {
  std::uint32_t workers = 1;
};
/// A worker is to be replaced, its successor first. It is said again until it happens.
struct RecycleRequested {
  ChildId child;
  std::string why;
};
using Event = std::variant<Start, ChildHappened, TimerFired, StopRequested, RolloutRequested,
                           ScaleRequested, RecycleRequested>;

/// How it all ended.
struct Outcome {
  enum class Kind : std::uint8_t {
    stopped,        ///< as asked
    never_started,  ///< a child could not be brought up; `why` says which and how
    gave_up         ///< too many deaths, and on_giveup = "exit"; `why` has the last one
  };
  Kind kind = Kind::stopped;
  std::string why;
  std::optional<ExitStatus> status = {};  ///< of the last death, if it was an end

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// How a slot's last child ended.
struct LastExit {
  ExitStatus status;
  bool planned = false;
  std::string why;         ///< the reason we gave it a signal for; empty if we gave none
  std::string last_words;  ///< the end of its stderr
};

/// What there is to tell: the log's lines, and events.
struct Note {
  enum class Kind : std::uint8_t {
    forked,
    online,
    ready,
    drain,
    suicide,
    hang,
    gone,
    backing_off,
    all_ready,
    giveup,
    recover,
    reload,
    scale
  };
  Kind kind{};
  ChildId child;
  SlotId slot{};         ///< for workers
  ExitStatus status;     ///< gone, giveup, reload
  bool planned = false;  ///< gone; reload: it is done
  /// ready, all_ready: since start; gone: uptime; backing_off, giveup: the delay
  Duration time{};
  std::string why;  ///< drain, suicide, hang, giveup: the reason; gone: that of our last signal
  std::string last_words = {};  ///< gone, giveup, reload: of who has died
  Generation generation{};      ///< of the child, or that a reload brought
  bool exited = false;          ///< giveup, reload: `status` says how the child ended
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
/// The new generation has passed its trial: from here on workers of the one before leave.
struct RolloutCommitted {
  Generation generation{};
};
struct RolloutEnded {
  Generation generation{};  ///< the new one
  bool done = false;        ///< every slot has a worker of it
  Duration took{};
  // If not, by whose fault.
  ChildId child;
  SlotId slot{};
  std::string why;  ///< of the signal it was given, or its own word; empty if it just ended
  ExitStatus status;
  bool exited = false;     ///< `status` says how; else it is alive
  bool was_ready = false;  ///< it had been
  std::string last_words;  ///< if it has exited
};
struct Finish {
  Outcome outcome;
};
using Action =
    std::variant<Spawn, EnterRotation, LeaveRotation, SignalChild, Forget, SetTimer, StopAccepting,
                 AnnounceReady, RolloutCommitted, RolloutEnded, Finish, Note>;
using Actions = std::vector<Action>;

}  // namespace clusterd::core
