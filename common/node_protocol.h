#pragma once

#include "common/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

/// The lines on the channel between the master of Node's cluster (here: ours) and a worker of it,
/// in JSON mode, as Node 14 and later speak them; also those of a plain child of child_process.
/// Pure: text in, value out. A line whose "cmd" begins with NODE_ is Node's own, and all others are
/// the program's, who may say whatever is JSON. What is Node's and not known here is `Unknown`, and
/// is ignored, as Node does.
namespace clusterd::node {

/// Longer lines are of no use: what may wait for a receiver is not more.
inline constexpr std::size_t kLongestLine = 1024 * 1024;

/// What a program calls listen() or bind() with.
struct Endpoint {
  enum class Kind : std::uint8_t {
    tcp4,
    tcp6,
    unix_socket,
    udp4,
    udp6,
    inherited,  ///< a descriptor of the master
  };
  Kind kind = Kind::tcp4;
  std::string address{};   ///< a number, an absolute path, or empty: any
  std::uint16_t port = 0;  ///< 0: which one is the master's choice
  std::int64_t fd = -1;    ///< inherited
  std::int64_t index = 0;  ///< the worker's own count of equal ones; the same in all workers
  std::int64_t backlog = 0;
  bool v6only = false;
  bool readable_all = false;  ///< unix_socket: its file is everybody's to read, ...
  bool writable_all = false;  ///< ... or to write

  [[nodiscard]] bool is_udp() const { return kind == Kind::udp4 || kind == Kind::udp6; }
  /// As listeners call themselves; what is not of the program's own making is to be escaped.
  [[nodiscard]] std::string text() const;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Unknown {
  friend bool operator==(const Unknown&, const Unknown&) = default;
};
/// The first line of a worker of a cluster, before its program runs.
struct Online {
  friend bool operator==(const Online&, const Online&) = default;
};
/// It wants to listen: has to be answered.
struct QueryServer {
  std::int64_t seq = 0;  ///< comes back as `ack`
  Endpoint at;
  std::string data = "null";  ///< JSON; what the first worker says here is told to all
  friend bool operator==(const QueryServer&, const QueryServer&) = default;
};
struct Listening {
  Endpoint at;  ///< with the real port
  friend bool operator==(const Listening&, const Listening&) = default;
};
struct Close {
  std::string key;
  friend bool operator==(const Close&, const Close&) = default;
};
/// It goes by its own wish, and waits to hear that the master knows.
struct ExitedAfterDisconnect {
  std::int64_t seq = 0;
  friend bool operator==(const ExitedAfterDisconnect&, const ExitedAfterDisconnect&) = default;
};
/// Whether it took a connection.
struct Answer {
  std::int64_t ack = 0;
  bool accepted = false;
  friend bool operator==(const Answer&, const Answer&) = default;
};
/// The descriptor that it was sent has arrived, or only its line has.
struct HandleAck {
  friend bool operator==(const HandleAck&, const HandleAck&) = default;
};
struct HandleNack {
  friend bool operator==(const HandleNack&, const HandleNack&) = default;
};
/// A message of the program with a descriptor: has to be acknowledged at once.
struct Handle {
  std::string type;          ///< "net.Socket", ...
  std::string msg = "null";  ///< JSON
  friend bool operator==(const Handle&, const Handle&) = default;
};
/// It wants to know how many of the sockets that it gave away are open; `key` is JSON.
struct CountSockets {
  std::string key = "null";
  friend bool operator==(const CountSockets&, const CountSockets&) = default;
};
/// It waits until all of those are closed.
struct NotifyClose {
  std::string key = "null";
  friend bool operator==(const NotifyClose&, const NotifyClose&) = default;
};
/// Of the program.
struct User {
  bool ready = false;  ///< "ready" or {"action":"ready"}: its program says that it is
  friend bool operator==(const User&, const User&) = default;
};
/// Of the program; more deeply nested, or with more members, than is looked at here.
struct UserTooLarge {
  friend bool operator==(const UserTooLarge&, const UserTooLarge&) = default;
};
using FromWorker =
    std::variant<Unknown, Online, QueryServer, Listening, Close, ExitedAfterDisconnect, Answer,
                 HandleAck, HandleNack, Handle, CountSockets, NotifyClose, User, UserTooLarge>;

[[nodiscard]] Result<FromWorker> decode_from_worker(std::string_view line);

/// Node would take this object of a program for a line of its own. To be asked of whatever a worker
/// says before it is passed on to another.
[[nodiscard]] bool is_internal(std::string_view line);

}  // namespace clusterd::node
