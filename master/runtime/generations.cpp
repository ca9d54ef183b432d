#include "master/runtime/generations.h"

#include "master/runtime/open_listener.h"

#include <algorithm>
#include <utility>

namespace clusterd::runtime {

Generations::Generations(Generation generation, const config::Settings& first,
                         std::vector<os::Listener> listeners) {
  Known known{first, {}};
  for (Index index = 0; index < listeners.size(); ++index) {
    open_[index] = std::make_unique<Open>(Open{first.listen[index], std::move(listeners[index])});
    known.listeners.push_back(index);
  }
  known_.emplace(generation, std::move(known));
}

const config::Settings& Generations::settings(Generation generation) const {
  return known_.at(generation).settings;
}

const std::vector<Generations::Index>& Generations::listeners(Generation generation) const {
  return known_.at(generation).listeners;
}

std::vector<Generation> Generations::all() const {
  std::vector<Generation> all;
  for (const auto& [generation, known] : known_) all.push_back(generation);
  return all;
}

std::optional<Generations::Index> Generations::find(Generation generation,
                                                    std::string_view wanted) const {
  const std::vector<Index>& mine = listeners(generation);
  for (const Index index : mine) {
    const config::Listen& listen = open_[index]->listen;
    if (wanted == listen.name || wanted == open_[index]->listener.text() ||
        (listen.kind == config::Listen::Kind::tcp && wanted == listen.address.text())) {
      return index;
    }
  }
  if (wanted.empty() && mine.size() == 1) return mine[0];
  return std::nullopt;
}

os::Listener* Generations::listener(Index index) const {
  return open_[index] ? &open_[index]->listener : nullptr;
}

std::vector<Generations::Index> Generations::indices() const {
  std::vector<Index> indices;
  for (Index index = 0; index < open_.size(); ++index) {
    if (open_[index]) indices.push_back(index);
  }
  return indices;
}

Result<std::vector<Generations::Index>> Generations::add(Generation generation,
                                                         const config::Settings& settings,
                                                         Generation before) {
  Known known{settings, {}};
  std::vector<Index> opened;
  for (const config::Listen& listen : settings.listen) {
    const auto& old = known_.at(before).listeners;
    const auto same = std::find_if(old.begin(), old.end(),
                                   [&](Index index) { return open_[index]->listen == listen; });
    if (same != old.end()) {
      known.listeners.push_back(*same);
      continue;
    }
    auto index = open(listen, known_.at(before));
    if (!index) {
      for (const Index one : opened) close(one);
      return Error{index.error().code, "listen " + listen.name + ": " + index.error().what};
    }
    opened.push_back(*index);
    known.listeners.push_back(*index);
  }
  known_.insert_or_assign(generation, std::move(known));
  return opened;
}

Result<Generations::Index> Generations::open(const config::Listen& listen, const Known& before) {
  const auto free = std::find(open_.begin(), open_.end(), nullptr);
  if (free == open_.end()) {
    return make_error("too many listeners, with those that old workers still serve");
  }
  const auto same =
      std::find_if(before.listeners.begin(), before.listeners.end(),
                   [&](Index index) { return same_address(open_[index]->listen, listen); });
  auto listener = same == before.listeners.end() ? open_listener(listen)
                                                 : share_listener(open_[*same]->listener, listen);
  if (!listener) return listener.error();
  *free = std::make_unique<Open>(Open{listen, std::move(*listener)});
  return static_cast<Index>(free - open_.begin());
}

void Generations::restore(Generation generation) const {
  for (const Index index : listeners(generation)) {
    // It worked when it was opened; who cannot be given a file any more keeps it as it is.
    (void)share_listener(open_[index]->listener, open_[index]->listen);
  }
}

std::vector<Generations::Index> Generations::removed(Generation before, Generation after) const {
  std::vector<Index> removed;
  for (const Index index : listeners(before)) {
    const auto& kept = listeners(after);
    const bool there = std::any_of(kept.begin(), kept.end(), [&](Index other) {
      return same_address(open_[index]->listen, open_[other]->listen);
    });
    if (!there) removed.push_back(index);
  }
  return removed;
}

std::vector<Generations::Index> Generations::forget(Generation generation) {
  const auto found = known_.find(generation);
  if (found == known_.end()) return {};
  const std::vector<Index> had = std::move(found->second.listeners);
  known_.erase(found);
  std::vector<Index> unused;
  std::copy_if(had.begin(), had.end(), std::back_inserter(unused),
               [this](Index index) { return !used(index); });
  return unused;
}

bool Generations::used(Index index) const {
  return std::any_of(known_.begin(), known_.end(), [index](const auto& entry) {
    const auto& listeners = entry.second.listeners;
    return std::count(listeners.begin(), listeners.end(), index) > 0;
  });
}

}  // namespace clusterd::runtime
