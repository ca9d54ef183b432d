#pragma once

#include "common/error.h"
#include "common/ids.h"
#include "master/os/notify_socket.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace clusterd::runtime {

/// What children say over NOTIFY_SOCKET. A program that speaks sd_notify needs no library.
class Notifications {
 public:
  /// Said by the child or a process of its group.
  using Heard = std::function<void(ChildId, const notify::Said&)>;

  Notifications(boost::asio::io_context& io, Heard heard);
  ~Notifications();
  Notifications(const Notifications&) = delete;
  Notifications& operator=(const Notifications&) = delete;

  /// Before its fork: makes the child's socket. Gives what NOTIFY_SOCKET is to be in its
  /// environment.
  [[nodiscard]] Result<std::string> open(ChildId child);
  /// After it: from now on the child is heard.
  void started(ChildId child, pid_t pid);
  /// It is reaped, or was never started.
  void close(ChildId child);

  /// What it last said with STATUS=.
  [[nodiscard]] std::string status(ChildId child) const;

 private:
  struct Ear;

  void wait(ChildId child, Ear& ear);
  void listen(ChildId child);

  boost::asio::io_context& io_;
  Heard heard_;
  std::map<ChildId, std::unique_ptr<Ear>> ears_;
};

}  // namespace clusterd::runtime
