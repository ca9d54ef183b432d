#include "master/runtime/generations.h"

#include "common/log.h"
#include "master/runtime/open_listener.h"

#include <algorithm>
#include <utility>

namespace clusterd::runtime {

Generations::Generations(Generation generation, const config::Settings& first,
                         std::vector<os::Listener> listeners, os::PassedSockets passed)
    : passed_(std::move(passed)) {
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
    auto index = open(listen, known, before);
    if (!index) {
      for (const Index one : opened) close(one);
      restore(before);
      return Error{index.error().code, "listen " + listen.name + ": " + index.error().what};
    }
    opened.push_back(*index);
    known.listeners.push_back(*index);
  }
  known_.insert_or_assign(generation, std::move(known));
  return opened;
}

Result<Generations::Index> Generations::open(const config::Listen& listen, const Known& next,
                                             Generation before) {
  const auto free = std::find(open_.begin(), open_.end(), nullptr);
  if (free == open_.end()) {
    return make_error("too many listeners, with those that old workers still serve");
  }
  const auto same = on_the_address_of(listen, next, before);
  auto listener =
      same ? share_listener(open_[*same]->listener, listen) : open_listener(listen, passed_);
  if (!listener) return listener.error();
  *free = std::make_unique<Open>(Open{listen, std::move(*listener)});
  return static_cast<Index>(free - open_.begin());
}

Result<Generations::Index> Generations::add_wanted(Generation generation,
                                                   const config::Listen& listen) {
  // The others are for app.conf: a worker must not be in the way of the next reload.
  constexpr std::size_t kMostWanted = 16;
  std::vector<Index>& wanted = known_.at(generation).wanted;
  for (const Index index : indices()) {
    const Open& open = *open_[index];
    if (!open.wanted || !open.listener.is_open() || open.listen != listen) continue;
    const bool knows = std::count(wanted.begin(), wanted.end(), index) > 0;
    if (!knows && wanted.size() >= kMostWanted) break;
    if (!knows) wanted.push_back(index);
    return index;
  }
  const auto free = std::find(open_.begin(), open_.end(), nullptr);
  if (free == open_.end() || wanted.size() >= kMostWanted) {
    return Error{std::make_error_code(std::errc::too_many_files_open), ""};
  }
  // One that an older generation has there, with other settings.
  const auto same = at_its_place(listen);
  auto listener = same ? share_listener(open_[*same]->listener, listen) : open_at_once(listen);
  if (!listener) return listener.error();
  *free = std::make_unique<Open>(Open{listen, std::move(*listener), true});
  wanted.push_back(static_cast<Index>(free - open_.begin()));
  return wanted.back();
}

std::optional<Generations::Index> Generations::at_its_place(const config::Listen& listen) const {
  for (const Index index : indices()) {
    const Open& open = *open_[index];
    if (!open.listener.is_open()) continue;
    const bool same = has_any_port(listen) ? open.wanted && open.listen.name == listen.name
                                           : is_same_place(open.listen, listen);
    if (same) return index;
  }
  return std::nullopt;
}

void Generations::unwant(Index index) {
  for (auto& [generation, known] : known_) std::erase(known.wanted, index);
  close(index);
}

/// One of `before` rather than one of an older generation, which may have been removed since and be
/// open only for the workers that still have it.
std::optional<Generations::Index> Generations::on_the_address_of(const config::Listen& listen,
                                                                 const Known& next,
                                                                 Generation before) const {
  std::vector<Index> all = listeners(before);
  for (const Index index : indices()) all.push_back(index);
  const auto fits = [&](Index index) {
    const Open& open = *open_[index];
    if (!open.listener.is_open()) return false;
    const bool there =
        open.wanted ? is_same_place(open.listen, listen) : same_address(open.listen, listen);
    if (!there) return false;
    if (!has_any_port(listen) || open.listen.name == listen.name) return true;
    // Port 0 is another port for each that asks for it. One that has a new name keeps its own.
    const auto& names = next.settings.listen;
    return std::none_of(names.begin(), names.end(),
                        [&](const config::Listen& one) { return one.name == open.listen.name; }) &&
           std::none_of(next.listeners.begin(), next.listeners.end(), [&](Index one) {
             return open_[one]->listener.text() == open.listener.text();
           });
  };
  const auto found = std::find_if(all.begin(), all.end(), fits);
  if (found == all.end()) return std::nullopt;
  return *found;
}

void Generations::restore(Generation generation) {
  for (const Index index : listeners(generation)) {
    Open& open = *open_[index];
    if (!open.listener.is_open()) continue;
    if (const auto restored = share_listener(open.listener, open.listen); !restored) {
      log::error("listen " + open.listen.name + ": " + restored.error().message());
    }
  }
}

std::vector<Generations::Index> Generations::removed(Generation before, Generation after) const {
  std::vector<Index> removed;
  const auto kept = all_of(after);
  for (const Index index : all_of(before)) {
    const bool there = std::any_of(kept.begin(), kept.end(), [&](Index other) {
      return open_[index]->listener.text() == open_[other]->listener.text();
    });
    if (!there) removed.push_back(index);
  }
  return removed;
}

std::vector<Generations::Index> Generations::all_of(Generation generation) const {
  const Known& known = known_.at(generation);
  std::vector<Index> all = known.listeners;
  all.insert(all.end(), known.wanted.begin(), known.wanted.end());
  return all;
}

std::vector<Generations::Index> Generations::forget(Generation generation) {
  const auto found = known_.find(generation);
  if (found == known_.end()) return {};
  std::vector<Index> had = std::move(found->second.listeners);
  had.insert(had.end(), found->second.wanted.begin(), found->second.wanted.end());
  known_.erase(found);
  std::vector<Index> unused;
  std::copy_if(had.begin(), had.end(), std::back_inserter(unused),
               [this](Index index) { return !used(index); });
  return unused;
}

bool Generations::has(Generation generation, Index index) const {
  const Known& known = known_.at(generation);
  return std::count(known.listeners.begin(), known.listeners.end(), index) > 0 ||
         std::count(known.wanted.begin(), known.wanted.end(), index) > 0;
}

bool Generations::used(Index index) const {
  return std::any_of(known_.begin(), known_.end(),
                     [&](const auto& entry) { return has(entry.first, index); });
}

}  // namespace clusterd::runtime
