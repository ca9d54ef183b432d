#pragma once

#include "common/node_protocol.h"
#include "master/core/balancer.h"
#include "master/runtime/generations.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace clusterd::runtime {

class Dispatcher;

/// Which listener a Node worker means by what it calls listen() with: one of app.conf, or one that
/// is opened for it, as Node's own master would.
class NodeListeners {
 public:
  using Index = core::ListenerIndex;

  NodeListeners(Generations& generations, Dispatcher& dispatcher);

  /// "::1" of "[::1]:80".
  [[nodiscard]] static std::string host_of(const Address& address);

  /// The error has the errno that the worker is to be told.
  [[nodiscard]] Result<Index> find(Generation generation, const node::Endpoint& at);
  /// A worker is ready that has not asked for this one of app.conf: says so, once.
  void unserved(Generation generation, Index index);

 private:
  [[nodiscard]] std::optional<Index> configured(Generation generation, const node::Endpoint& at,
                                                bool any_host) const;
  [[nodiscard]] Result<Index> open(Generation generation, const node::Endpoint& at);
  [[nodiscard]] Result<Index> add(Generation generation, const node::Endpoint& at,
                                  config::Listen listen);
  [[nodiscard]] Result<void> serve(Index index);
  [[nodiscard]] bool needs_privilege(const node::Endpoint& at) const;
  void warn_of_privilege(const node::Endpoint& at);

  Generations& generations_;
  Dispatcher& dispatcher_;
  unsigned first_unprivileged_port_;
  std::set<std::string> told_privileged_;
  Generation told_of_{};
  std::uint64_t told_ = 0;  ///< a bit for each listener of that generation
};

}  // namespace clusterd::runtime
