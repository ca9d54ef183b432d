#pragma once

#include "common/clock.h"
#include "master/core/exit_status.h"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

/// What goes into a child's machine, and what comes out.
namespace clusterd::core {

enum class Signal : std::uint8_t { terminate, abort, kill };

/// A fresh number for each timer, so that one that fires late is told from the one awaited.
enum class TimerId : std::uint64_t {};

// What can happen to a child.
struct SaidHello {};
struct SaidReady {};
/// What it has not done so far, for the reason, should its time be over first.
struct Awaited {
  std::string what;
};
struct AskedToLeave {};
struct AskedToDie {};
/// It drains, but there is no more time for that.
struct CutShort {
  std::string why;
};
/// It says that it will go: it takes no new connection, finishes those that it has, and exits.
struct SaidSuicide {
  std::string reason;
};
/// Its loop does not turn any more.
struct Hung {
  std::string how;
};
struct ChannelEnded {};
struct BrokeProtocol {
  std::string how;
};
struct ChildTimer {
  TimerId id{};
};
struct ProcessExited {
  ExitStatus status;
  std::string last_words = {};  ///< the end of its stderr
};
using ChildEvent =
    std::variant<SaidHello, SaidReady, Awaited, AskedToLeave, AskedToDie, CutShort, SaidSuicide,
                 Hung, ChannelEnded, BrokeProtocol, ChildTimer, ProcessExited>;

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
/// It will be gone though nobody asked for that, and another is to take its place now and not when
/// it has gone. Emitted at most once.
struct Departs {
  enum class Cause : std::uint8_t { suicide, hang };
  Cause cause{};
  std::string reason;
  friend bool operator==(const Departs&, const Departs&) = default;
};
/// Emitted once, last.
struct ChildGone {
  ExitStatus status;
  bool planned = false;    ///< we asked for it
  bool was_ready = false;  ///< it had been ready at any time
  std::string last_words = {};
  friend bool operator==(const ChildGone&, const ChildGone&) = default;
};
using ChildAction =
    std::variant<CameOnline, BecameReady, EndConnections, Departs, SendSignal, SetTimer, ChildGone>;
using ChildActions = std::vector<ChildAction>;

}  // namespace clusterd::core
