#pragma once

#include <stdexcept>

namespace clusterd::testing {

/// Something that must always hold did not.
struct Violation : std::logic_error {
  using std::logic_error::logic_error;
};

/// For millions of checks: it costs nothing while it holds.
inline void must(bool holds, const char* what) {
  if (!holds) throw Violation(what);
}

}  // namespace clusterd::testing
