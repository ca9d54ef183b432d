#pragma once

#include "common/clock.h"
#include "common/ids.h"
#include "master/core/child_fsm.h"

#include <cstdint>

namespace clusterd::core {

/// What the cluster is to be: app.conf as far as the core needs it. A reload brings another one.
struct Plan {
  std::uint32_t workers = 1;
  ChildTimeouts worker;
  ChildTimeouts agent;
  /// Which agent program there is to be: another number is one with other settings, 0 is none.
  std::uint32_t program = 0;
  ChildTimeouts program_timeouts;

  Duration backoff_first{};
  Duration backoff_max{};
  /// Deaths of workers within the window that are too many; the agent and its program have as many
  /// each. 0 = as default_death_limit() says.
  std::uint32_t death_limit = 0;
  Duration death_window = std::chrono::seconds(60);
  Duration giveup_retry = std::chrono::seconds(60);
  bool exit_on_giveup = false;

  std::uint32_t surge = 1;            ///< successors beside their incumbents at once
  std::uint32_t max_unavailable = 0;  ///< incumbents that may leave before their successor is ready
  std::uint32_t max_generations = 3;  ///< alive at once
  Duration settle{};                  ///< a new generation's first workers are on trial so long

  [[nodiscard]] const ChildTimeouts& timeouts(Role role) const {
    if (role == Role::worker) return worker;
    return role == Role::program ? program_timeouts : agent;
  }

  Duration stop_delay{};  ///< it serves on for so long when it is asked to stop

  std::uint32_t seed = 0;  ///< of the spread of delays; 0: there is none
};

/// limit = "auto": ten, as it ever was, and more where many workers may die of one cause.
[[nodiscard]] constexpr std::uint32_t default_death_limit(std::uint32_t workers) {
  return workers * 3 > 10 ? workers * 3 : 10;
}

}  // namespace clusterd::core
