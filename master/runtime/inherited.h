#pragma once

#include "common/ids.h"
#include "config/worker_settings.h"
#include "master/core/cluster_events.h"
#include "master/os/spawn.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace clusterd::runtime {

class Generations;

using Environment = std::map<std::string, std::string, std::less<>>;

/// A listener that a child has from its start.
struct InheritedListener {
  std::string name;
  int fd = -1;          ///< the master's
  std::string address;  ///< "127.0.0.1:8080", or a path
  std::string port;     ///< empty of a path
};

/// Those of the generation, in order; none if the protocol does not pass them so.
[[nodiscard]] std::vector<InheritedListener> inherited_by(config::Protocol protocol,
                                                          const Generations& generations,
                                                          Generation generation);

/// What a child without a channel is started with: its listeners, told of as systemd does, and the
/// values for the templates in its command and variables.
void inherit(os::SpawnSpec& spec, Environment& env, const config::Worker& worker,
             const core::Spawn& spawn, const std::vector<InheritedListener>& inherited);

}  // namespace clusterd::runtime
