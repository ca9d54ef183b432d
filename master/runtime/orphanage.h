#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <sys/types.h>

namespace clusterd::runtime {

/// The duty of PID 1, in a container: the orphans of its namespace become its children, and
/// somebody has to reap them. Does nothing in a process that has another number. Our own children
/// are never touched; see os::reap_orphans().
class Orphanage {
 public:
  Orphanage(boost::asio::io_context& io, std::function<bool(pid_t)> is_ours);

 private:
  void wait();
  void look();

  std::function<bool(pid_t)> is_ours_;
  boost::asio::signal_set ended_;
  boost::asio::steady_timer again_;
};

}  // namespace clusterd::runtime
