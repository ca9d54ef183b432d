#pragma once

#include "master/os/unix_listener.h"
#include "master/runtime/channel.h"
#include "master/runtime/control_answer.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <map>
#include <memory>
#include <string>

namespace clusterd::runtime {

/// Takes verbs on the control socket: one JSON object a line, {"verb":"status"}, and answers each
/// with one line, {"ok":true,...} or {"ok":false,"error":"..."}. Only root and the master's own
/// user are served; clients, their lines and their patience are bounded.
class ControlServer {
 public:
  ControlServer(boost::asio::io_context& io, os::UnixListener socket, VerbAnswer answer);

 private:
  struct Client {
    std::shared_ptr<Channel> channel;
    std::unique_ptr<boost::asio::steady_timer> patience;
  };

  void wait();
  [[nodiscard]] bool accept_all();
  [[nodiscard]] std::uint64_t most_silent() const;
  void serve(UniqueFd fd);
  void on_line(std::uint64_t id, std::string_view line);
  void be_patient(std::uint64_t id);
  void drop(std::uint64_t id);

  boost::asio::io_context& io_;
  os::UnixListener socket_;
  boost::asio::posix::stream_descriptor acceptor_;
  boost::asio::steady_timer pause_;
  VerbAnswer answer_;
  std::map<std::uint64_t, Client> clients_;
  std::uint64_t next_id_ = 1;
};

}  // namespace clusterd::runtime
