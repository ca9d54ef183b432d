#pragma once

#include "config/command_line.h"

#include <string>

namespace clusterd::ctl {

/// A verb that changes a running cluster, and whose answer is a verdict.
struct Deed {
  std::string verb;
  std::string line;              ///< of the control protocol
  bool wait = true;              ///< false: return when the master has begun
  bool only_looks = false;       ///< a dry run: the changes are all that is wanted
  std::string fallen_back = {};  ///< what holds after it failed, and what to do
};

/// Tells the master, shows how it gets on, and prints the verdict; gives the exit code.
[[nodiscard]] int carry_out(const config::Target& target, const Deed& deed);

}  // namespace clusterd::ctl
