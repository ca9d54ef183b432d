#pragma once

#include "config/mistake.h"

#include <toml++/toml.h>

#include <cstddef>
#include <span>
#include <string>

namespace clusterd::config {

// toml++ 3.3 takes a table apart by recursion and sets no limit to the depth of a.b.c.d: some ten
// thousand dots overflow the stack. Each level of such a key needs a dot.
inline constexpr std::size_t kMostDots = 4096;

/// Puts each "key=value" of `sets`, as --set takes them, into the tables of app.conf. Their values
/// have the option as their origin, so that a mistake found in them later names it. One that
/// cannot be put anywhere is a mistake here.
void apply_sets(std::span<const std::string> sets, toml::table& top, Mistakes& mistakes);

}  // namespace clusterd::config
