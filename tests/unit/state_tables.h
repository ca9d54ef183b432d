#pragma once

#include "tests/support/state_table.h"

#include <string>

/// The machines of master/core, each played through: what docs/STATES.md says of them.
namespace clusterd::core {

[[nodiscard]] testing::StateTable cluster_states();
[[nodiscard]] testing::StateTable rollout_states();
[[nodiscard]] testing::StateTable slot_states();
[[nodiscard]] testing::StateTable child_states();
[[nodiscard]] testing::StateTable ledger_states();
[[nodiscard]] testing::StateTable seat_states();

/// The delays after deaths in a row, with the defaults of app.conf.
[[nodiscard]] std::string restart_delays();

}  // namespace clusterd::core
