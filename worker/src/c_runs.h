#pragma once

#include "clusterd/run.h"
#include "clusterd/run.hpp"

#include <functional>

/// The views of a Run are of texts that have a NUL at their end.
struct clusterd_run {
  clusterd::Run run;
};

namespace clusterd::c {

/// What calls `callback` with runs; nothing without one.
[[nodiscard]] std::function<void(Run)> run_handler(clusterd_run_fn callback, void* user);

}  // namespace clusterd::c
