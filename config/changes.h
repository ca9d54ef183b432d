#pragma once

#include "config/settings.h"

#include <string>
#include <vector>

namespace clusterd::config {

/// What a reload from `before` to `after` changes, one line a key, as an operator reads it:
///
///     workers: 4 -> 6
///     worker.env: KEY changed                    (never its value: it may be a secret)
///     listen http: policy round-robin -> accept-race
///     listen admin: opened on 127.0.0.1:8081
///
/// Listeners are the same if their names are. Empty if nothing differs that a reload can change.
[[nodiscard]] std::vector<std::string> changes(const Settings& before, const Settings& after);

/// What differs that no reload can change, one line a key, with what to do.
[[nodiscard]] std::vector<std::string> cannot_change(const Settings& before, const Settings& after);

}  // namespace clusterd::config
