#pragma once

#include <cstdint>

namespace clusterd {

/// Whom a message is for.
struct Recipient {
  enum class Kind : std::uint8_t {
    unsaid,    ///< the agent's go to all workers, the workers' to the agent
    all,       ///< every worker and the agent, the sender too
    app,       ///< every worker, the sender too
    agent,     ///< the agent program
    random,    ///< one worker that is ready, in turn
    pid,       ///< the process `number`
    slot,      ///< the worker in slot `number`
    elsewhere  ///< what this version does not know
  };
  Kind kind = Kind::unsaid;
  std::int64_t number = 0;

  friend bool operator==(const Recipient&, const Recipient&) = default;
};

}  // namespace clusterd
