#pragma once

#include "common/ids.h"
#include "common/program_lines.h"
#include "master/runtime/dialogue.h"

#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace clusterd::runtime {

/// Exceptions that the agent program has told of. Each is counted, and not each is an event, or it
/// could flood all who follow.
class ProgramFailures {
 public:
  ProgramFailures(const DialogueNeeds& needs, ChildId id);

  void add(const protocol::Failed& failed);

 private:
  struct State;
  static void tell(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
};

}  // namespace clusterd::runtime
