#pragma once

#include "common/ids.h"
#include "master/os/child_process.h"
#include "master/runtime/child_output.h"
#include "master/runtime/dialogue.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <memory>
#include <utility>

namespace clusterd::runtime {

/// A process that the supervisor has started, with all that ends with it.
struct Child {
  Child(boost::asio::io_context& io, os::ChildProcess started)
      : process(std::move(started)), exit(io, process.pidfd()) {}
  ~Child() { exit.release(); }  // the pidfd is the process's
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  os::ChildProcess process;
  boost::asio::posix::stream_descriptor exit;
  ChildOutput output;
  Generation generation{};
  std::unique_ptr<Dialogue> dialogue;
};

}  // namespace clusterd::runtime
