#pragma once

#include "common/error.h"
#include "common/log.h"
#include "common/tail.h"
#include "common/unique_fd.h"
#include "master/os/spawn.h"
#include "master/runtime/output_pipe.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace clusterd::runtime {

/// What one child prints: its stdout and stderr, given on in whole lines, and the last that it said
/// on stderr. Of a child whose output is not captured there is nothing.
class ChildOutput {
 public:
  using Take = std::function<void(log::Stream stream, std::string_view lines)>;

  ChildOutput();
  /// With `capture`, makes the pipes and puts their ends into the child's spec, where they are good
  /// until start().
  [[nodiscard]] static Result<ChildOutput> open(boost::asio::io_context& io, os::SpawnSpec& spec,
                                                bool capture);
  ChildOutput(ChildOutput&&) noexcept;
  ChildOutput& operator=(ChildOutput&&) noexcept;
  ~ChildOutput();

  /// The child is there and has its ends. Begins to read; `take` gets all that it prints.
  void start(Take take);

  /// The last lines of its stderr so far, as text.
  [[nodiscard]] std::string last_words() const;

  /// The child is gone. Reads what is left of what it said, and gives the last lines of its stderr
  /// as text.
  [[nodiscard]] std::string finish();

 private:
  struct Streams;  // stays where it is, since handlers are going to use it

  std::unique_ptr<Streams> streams_;
};

}  // namespace clusterd::runtime
