#pragma once

#include <cstdlib>
#include <unistd.h>

namespace clusterd::ctl {

/// stdout is a terminal, and nobody asked for plain text.
[[nodiscard]] inline bool colour_wanted() {
  const char* no_colour = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

}  // namespace clusterd::ctl
