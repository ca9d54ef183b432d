#pragma once

#include "common/envelope.h"
#include "common/error.h"
#include "common/handoff.h"
#include "common/log_orders.h"
#include "common/notices.h"
#include "common/program_lines.h"
#include "common/run_lines.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

/// The lines on the channel between the master and a child that speaks the native protocol: one
/// JSON object a line, {"cmd":"CLUSTERD","act":...}. Pure: text in, value out. A line that is no
/// JSON, or lacks what its act needs, is an error. An object with an "action" is a message between
/// programs (envelope.h). Any other JSON (somebody else's command) and an act that is not known are
/// `Unknown`, and are ignored, so that either side may be newer. One line needs no "cmd", since
/// programs have long said it without: {"act":"suicide"}.
namespace clusterd::protocol {

inline constexpr int kVersion = 1;
inline constexpr std::size_t kLongestLine = 64 * 1024;

struct Unknown {
  friend bool operator==(const Unknown&, const Unknown&) = default;
};

// From a child.

/// The first line of every native child. The version decides what else may be said.
struct Hello {
  std::int64_t version = 0;
  /// It counts the turns of its loop on the page, and makes one for a ping: it can be watched.
  bool heartbeat = false;
  /// It says how many messages it has heard: until then they can be told to have been lost.
  bool tells_heard = false;
  friend bool operator==(const Hello&, const Hello&) = default;
};
/// "I serve this listener": its configured name, its address, or "" for the only one.
struct Listen {
  std::int64_t seq = 0;  ///< comes back as `ack`
  std::string listener;
  friend bool operator==(const Listen&, const Listen&) = default;
};
struct Ready {
  friend bool operator==(const Ready&, const Ready&) = default;
};
/// "Not all descriptors of a message arrived (MSG_CTRUNC): I can take none from this one on."
struct Refuse {
  std::uint32_t sequence = 0;
  friend bool operator==(const Refuse&, const Refuse&) = default;
};
/// "I take nothing new, finish what is open, and leave": replace me now.
struct Suicide {
  std::string reason;  ///< at most kLongestReason bytes; may be empty
  friend bool operator==(const Suicide&, const Suicide&) = default;
};
/// From the agent: "how is the cluster?" One at a time: the next when this is answered.
struct Report {
  std::int64_t seq = 0;  ///< comes back as `ack`
  bool metrics = false;  ///< the counters are wanted too, which are more work
  friend bool operator==(const Report&, const Report&) = default;
};
using FromChild = std::variant<Unknown, Hello, Listen, Ready, Refuse, Suicide, Report, Heard,
                               Notices, Failed, LogWritten, Handles, Ran, Envelope>;

// From the master.

/// Answers hello. Comes with three descriptors for a worker (connection socket, page, eventfd)
/// and with none for the agent.
struct Welcome {
  std::int64_t version = kVersion;
  std::int64_t fds = 0;
  std::int64_t drain_timeout_ms = 0;  ///< how long one that leaves may take; then comes TERM
  std::int64_t max_connections = 0;   ///< open ones it may hold; 0 = no limit
  bool log = false;                   ///< to the agent: write-log follows, and then it may be ready
  friend bool operator==(const Welcome&, const Welcome&) = default;
};
/// Answers listen. In accept race the listening socket comes with it.
struct Listening {
  std::int64_t ack = 0;
  std::int64_t fds = 0;     ///< 1 in accept race
  std::int64_t index = -1;  ///< names the listener in offers; -1 if there is none
  std::string address;      ///< the real one
  std::string error;        ///< why not, if index is -1
  bool datagram = false;    ///< a UDP socket; it comes with it as in accept race
  friend bool operator==(const Listening&, const Listening&) = default;
};
/// Answers refuse: all that was not taken is the master's again, and may be thrown away.
struct Revoked {
  friend bool operator==(const Revoked&, const Revoked&) = default;
};
/// Something happened in the cluster: "cluster-ready" (every child is ready), "log-reload" (files
/// of logs were renamed: open yours anew).
struct Happened {
  std::string event;
  friend bool operator==(const Happened&, const Happened&) = default;
};
/// Needs no answer. It is there to arrive, which makes a loop that idles turn once.
struct Ping {
  friend bool operator==(const Ping&, const Ping&) = default;
};
/// To the agent: answer HTTP on this listening socket from now on, and on no other.
struct ServeHttp {
  std::int64_t fds = 0;  ///< 1, or 0: on none
  friend bool operator==(const ServeHttp&, const ServeHttp&) = default;
};
/// Answers report. The counters come as a sealed file in memory, in the text format of Prometheus.
struct Reported {
  std::int64_t ack = 0;
  std::int64_t fds = 0;  ///< 1 if counters were wanted and could be had
  bool ready = false;
  std::string reason;  ///< of `ready`, in words
  friend bool operator==(const Reported&, const Reported&) = default;
};
using FromMaster = std::variant<Unknown, Welcome, Listening, Revoked, Happened, Undelivered, Gone,
                                Pressure, Ping, ServeHttp, Reported, WriteLog, RunNow, Envelope>;

[[nodiscard]] Result<FromChild> decode_from_child(std::string_view line);
/// The same of a line that was checked.
[[nodiscard]] Result<FromChild> decode_from_child(const CheckedJson& json);
/// A checked line is a message of a program, and none of ours.
[[nodiscard]] bool is_message(const CheckedJson& json);
/// Why a line is none.
[[nodiscard]] Error no_json(const JsonError& error);
[[nodiscard]] Result<FromMaster> decode_from_master(std::string_view line);

/// With the newline.
[[nodiscard]] std::string encode(const Hello& message);
[[nodiscard]] std::string encode(const Listen& message);
[[nodiscard]] std::string encode(const Ready& message);
[[nodiscard]] std::string encode(const Refuse& message);
[[nodiscard]] std::string encode(const Suicide& message);
[[nodiscard]] std::string encode(const Report& message);
[[nodiscard]] std::string encode(const Welcome& message);
[[nodiscard]] std::string encode(const Listening& message);
[[nodiscard]] std::string encode(const Revoked& message);
[[nodiscard]] std::string encode(const Happened& message);
[[nodiscard]] std::string encode(const Ping& message);
[[nodiscard]] std::string encode(const ServeHttp& message);
[[nodiscard]] std::string encode(const Reported& message);
[[nodiscard]] std::string encode(const LogWritten& message);
[[nodiscard]] std::string encode(const WriteLog& message);

}  // namespace clusterd::protocol
