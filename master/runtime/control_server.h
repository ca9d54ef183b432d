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
/// Only root and the master's own user are served, and each of the two has its own share, so that
/// an admin always gets in. A client that does not wait for an answer goes when it has been silent
/// for too long, or most silent of too many. One that waits stays: so few may wait, and none that
/// leaves unread what it asked for. Who closes its own direction while it waits has left.
class ControlServer {
 public:
  /// `at_once` are the verbs that are answered before their handler returns: they need no place
  /// among those that wait.
  ControlServer(boost::asio::io_context& io, os::UnixListener socket, VerbAnswer answer,
                std::set<std::string> at_once = {});
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  using Id = std::uint64_t;
  struct Client {
    explicit Client(boost::asio::io_context& io) : patience(io) {}

    uid_t user = 0;
    std::shared_ptr<Channel> channel;
    boost::asio::steady_timer patience;        ///< runs while it does not wait for an answer
    std::deque<std::string> requests;          ///< whose turn has not come
    std::shared_ptr<const Reply::Send> asked;  ///< the way back, while it waits for an answer
  };

  void wait();
  [[nodiscard]] bool accept_all();
  void make_room(uid_t user);
  void serve(UniqueFd fd, uid_t user);
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
  std::map<Id, std::shared_ptr<Client>> clients_;  ///< shared, but only weakly, by what is posted
  Id next_id_ = 1;
};

}  // namespace clusterd::runtime
