#pragma once

#include "config/settings.h"
#include "master/core/plan.h"

namespace clusterd::runtime {

/// What the core has to know of app.conf.
[[nodiscard]] core::Plan plan_of(const config::Settings& settings);

}  // namespace clusterd::runtime
