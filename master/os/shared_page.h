#pragma once

#include "common/error.h"
#include "common/handoff.h"
#include "common/unique_fd.h"

namespace clusterd::os {

/// The page that the master shares with one worker: a memfd that can be neither shrunk nor grown,
/// mapped here. Without the seal a worker could truncate the file and have the master killed by
/// SIGBUS at its next look.
class SharedPage {
 public:
  [[nodiscard]] static Result<SharedPage> create();

  SharedPage(SharedPage&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), fd_(std::move(other.fd_)) {}
  SharedPage& operator=(SharedPage&&) = delete;
  ~SharedPage();

  [[nodiscard]] handoff::Page& operator*() const { return *memory_; }
  [[nodiscard]] handoff::Page* operator->() const { return memory_; }

  /// The memfd, for the worker; the master itself needs it only until it is sent.
  [[nodiscard]] int fd() const { return fd_.get(); }
  void close_fd() { fd_.reset(); }

 private:
  SharedPage(handoff::Page* memory, UniqueFd fd) : memory_(memory), fd_(std::move(fd)) {}

  handoff::Page* memory_;
  UniqueFd fd_;
};

}  // namespace clusterd::os
