#pragma once

#include "tests/support/cluster.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace clusterd::test {

/// An event as `clusterd events` has it.
using Told = boost::json::object;

/// All that the master has told of so far, or what of it has this name and these members.
[[nodiscard]] std::vector<Told> told(const Cluster& cluster, const std::string& name = "",
                                     const Told& members = {});
/// The first of these; waits for it, and throws if it does not come.
[[nodiscard]] Told told_first(const Cluster& cluster, const std::string& name,
                              const Told& members = {},
                              std::chrono::milliseconds deadline = std::chrono::seconds(30));
/// When it happened.
[[nodiscard]] std::chrono::milliseconds time_of(const Told& event);
/// The smallest number of workers in rotation since all were ready for the first time.
[[nodiscard]] int fewest_ready(const Cluster& cluster);

}  // namespace clusterd::test
