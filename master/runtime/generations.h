#pragma once

#include "common/error.h"
#include "common/ids.h"
#include "config/settings.h"
#include "master/core/balancer.h"
#include "master/os/listener.h"
#include "master/os/passed_sockets.h"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clusterd::runtime {

/// What each generation of workers goes by, for as long as one of them is alive: its settings and
/// its listeners. A listener that is the same in two generations is one; one whose settings differ
/// is two on one socket, so that each generation is served as its own file says.
class Generations {
 public:
  using Index = core::ListenerIndex;

  /// `listeners` are those of `first`, in its order; they have the indices from 0 on.
  Generations(Generation generation, const config::Settings& first,
              std::vector<os::Listener> listeners, os::PassedSockets passed = {});

  [[nodiscard]] const config::Settings& settings(Generation generation) const;
  /// One a [[listen]] of its settings.
  [[nodiscard]] const std::vector<Index>& listeners(Generation generation) const;
  [[nodiscard]] bool knows(Generation generation) const { return known_.contains(generation); }
  [[nodiscard]] std::vector<Generation> all() const;

  /// The listener that a worker calls so: its name, its address, or "" for the only one.
  [[nodiscard]] std::optional<Index> find(Generation generation, std::string_view wanted) const;

  /// Nullptr if there is none.
  [[nodiscard]] os::Listener* listener(Index index) const;
  [[nodiscard]] const config::Listen& listen(Index index) const { return open_[index]->listen; }
  /// Those that there are, in order.
  [[nodiscard]] std::vector<Index> indices() const;

  /// Opens what the settings have and `before` has not; on an error nothing has changed. Gives the
  /// listeners that are new.
  [[nodiscard]] Result<std::vector<Index>> add(Generation generation,
                                               const config::Settings& settings, Generation before);
  /// Opens what a worker of the generation wants beside its settings, or finds it among what others
  /// wanted. It is there for as long as somebody of a generation that wanted it is alive.
  [[nodiscard]] Result<Index> add_wanted(Generation generation, const config::Listen& listen);
  /// It could not be served: closes it, and nobody has wanted it.
  void unwant(Index index);
  /// By its settings, or since one of its workers wanted it.
  [[nodiscard]] bool has(Generation generation, Index index) const;
  /// What the first worker of a listener has to say to all of them.
  [[nodiscard]] std::string& first_words(Index index) { return open_[index]->first_words; }

  /// Those of `before` whose address `after` has no more, or its workers have not wanted so far.
  [[nodiscard]] std::vector<Index> removed(Generation before, Generation after) const;
  /// Another generation has shared its sockets with other options, and it is not to be.
  void restore(Generation generation);
  /// Nobody of it is alive. Gives the listeners that nobody has any more, still open, for close().
  [[nodiscard]] std::vector<Index> forget(Generation generation);
  void close(Index index) { open_[index].reset(); }

 private:
  struct Known {
    config::Settings settings;
    std::vector<Index> listeners;
    std::vector<Index> wanted{};
  };
  struct Open {
    config::Listen listen;
    os::Listener listener;
    bool wanted = false;  ///< by a worker; no [[listen]] has it
    std::string first_words{};
  };

  [[nodiscard]] Result<Index> open(const config::Listen& listen, const Known& next,
                                   Generation before);
  [[nodiscard]] std::optional<Index> on_the_address_of(const config::Listen& listen,
                                                       const Known& next, Generation before) const;
  [[nodiscard]] bool used(Index index) const;
  [[nodiscard]] std::vector<Index> all_of(Generation generation) const;
  [[nodiscard]] std::optional<Index> at_its_place(const config::Listen& listen) const;

  std::map<Generation, Known> known_;
  os::PassedSockets passed_;
  std::array<std::unique_ptr<Open>, core::kMaxListeners> open_;
};

}  // namespace clusterd::runtime
