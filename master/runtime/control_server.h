#pragma once

#include "master/os/unix_listener.h"
#include "master/runtime/channel.h"
#include "master/runtime/control_answer.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace clusterd::runtime {

/// Takes verbs on the control socket: one JSON object a line, {"verb":"status"}. Each is answered
/// with any number of lines and a last one, {"ok":true,...} or {"ok":false,"error":"..."}; the
/// client's next verb waits for that.
///
/// Only root, the master's own user and members of one group are served; others are told so. Each
/// of the three has its own share, so that an admin always gets in. A client that does not wait for
/// an answer goes when it has been silent for too long, or most silent of too many. One that waits
/// stays: so few may wait, and none that leaves unread what it asked for. Who closes its own
/// direction while it waits has left.
class ControlServer {
 public:
  /// `at_once` are the verbs that are answered before their handler returns: they need no place
  /// among those that wait. Without a `group` it is nobody's.
  ControlServer(boost::asio::io_context& io, os::UnixListener socket, VerbAnswer answer,
                std::set<std::string> at_once = {}, std::optional<gid_t> group = {});
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  using Id = std::uint64_t;
  enum class Share : std::uint8_t { root, own, group };
  struct Client {
    explicit Client(boost::asio::io_context& io) : patience(io) {}

    Share share = Share::own;
    std::shared_ptr<Channel> channel;
    boost::asio::steady_timer patience;        ///< runs while it does not wait for an answer
    std::deque<std::string> requests;          ///< whose turn has not come
    std::shared_ptr<const Reply::Send> asked;  ///< the way back, while it waits for an answer
  };

  void wait();
  [[nodiscard]] bool accept_all();
  [[nodiscard]] std::optional<Share> share_of(int socket) const;
  void make_room(Share share);
  void serve(UniqueFd fd, Share share);
  void on_line(Id id, std::string_view line);
  void proceed(Id id);
  void proceed_later(Id id);
  [[nodiscard]] bool answer(Id id, const std::string& verb, const CheckedJson& request,
                            const Reply& reply);
  void say(Id id, std::string line, bool last);
  void be_patient(Id id);
  void drop(Id id);

  boost::asio::io_context& io_;
  os::UnixListener socket_;
  boost::asio::posix::stream_descriptor acceptor_;
  boost::asio::steady_timer pause_;
  VerbAnswer answer_;
  std::set<std::string> at_once_;
  std::optional<gid_t> group_;
  std::map<Id, std::shared_ptr<Client>> clients_;  ///< shared, but only weakly, by what is posted
  Id next_id_ = 1;
};

}  // namespace clusterd::runtime
