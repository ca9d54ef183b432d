#pragma once

#include "config/mistake.h"
#include "config/toml_reader.h"
#include "config/worker_settings.h"

namespace clusterd::config {

/// worker.ready: a word, or a table of what has to be seen. Whether the protocol has that is not
/// asked here (check_protocol.h).
[[nodiscard]] Ready read_ready(TomlReader& worker, Mistakes& mistakes);

/// As an operator would write it.
[[nodiscard]] std::string ready_text(const Ready& ready);

/// worker.drain_signal, a signal's name without SIG.
void read_drain_signal(TomlReader& worker, int& number);

}  // namespace clusterd::config
