#pragma once

#include "common/clock.h"
#include "common/ids.h"
#include "master/core/child_fsm.h"
#include "master/core/cluster_events.h"
#include "master/core/restart_limiter.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

/// What the cluster remembers of its children, slots and roles.
namespace clusterd::core {

struct ClusterChild {
  ChildFsm fsm;
  SlotId slot{};
  Generation generation{};
  TimePoint spawned_at;
  TimePoint ready_at;
  std::string why;            ///< of the last signal we sent it
  std::string because;        ///< why it leaves
  std::string recycle = {};   ///< why it is to be replaced; empty: it is not
  std::uint32_t program = 0;  ///< of the agent program: which one of Plan::program it is
};

/// What counts as one: an end that nobody asked for, or a child's word that it will end.
struct Death {
  std::string why;                  ///< of the signal it was given, or its own word
  const ChildGone* gone = nullptr;  ///< if it has ended

  /// Where there was no room, giving up would only make it last longer.
  [[nodiscard]] bool counts() const { return gone == nullptr || !gone->status.lacked_room(); }
  [[nodiscard]] Outcome ends(Outcome::Kind kind) const {
    Outcome outcome{kind, {}, {}};
    if (gone != nullptr) outcome.status = gone->status;
    return outcome;
  }
};

/// How many more workers may be replaced now, while those before them still serve.
struct RenewalBudget {
  std::int64_t beside = 0;   ///< successors that may be started beside their incumbents
  std::int64_t missing = 0;  ///< slots that may go without a worker that serves
  std::int64_t trials = 0;   ///< workers of a generation that has not proved itself
};

struct SlotRecord {
  std::uint32_t starts = 0;
  std::optional<LastExit> last_exit = {};
};

/// What workers have together, and the agent and its program each for itself.
struct Pool {
  RestartLimiter limiter;
  bool gave_up = false;               ///< the slots that the dead left stay empty, but for a probe
  TimerId timer{};                    ///< until the next probe
  TimePoint probe_at = {};            ///< meaningful with a timer
  std::optional<ChildId> probe = {};  ///< the one child that is tried after giving up
  std::uint32_t next = 1;             ///< number of the child that is forked next
};

/// Of what there is one for each role.
[[nodiscard]] constexpr std::size_t index(Role role) { return static_cast<std::size_t>(role); }

}  // namespace clusterd::core
