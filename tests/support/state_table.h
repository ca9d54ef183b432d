#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace clusterd::testing {

/// A state of a machine. The rank is its place among the others.
struct StateName {
  int rank = 0;
  std::string name;

  friend auto operator<=>(const StateName&, const StateName&) = default;
};

/// What a machine did about an event.
struct Step {
  std::string event;
  std::string actions;  ///< empty: nothing
};

/// One way from a state.
struct Edge {
  StateName to;
  std::string actions;

  friend auto operator<=>(const Edge&, const Edge&) = default;
};

/// What a machine does in each state about each event: what was seen of it, nothing that is known.
struct StateTable {
  std::vector<std::string> events;
  std::set<StateName> states;
  std::map<std::pair<StateName, std::string>, std::set<Edge>> edges;

  /// What was seen of the same machine in other surroundings.
  void add(const StateTable& other);

  /// "FROM -> TO: EVENT" of each edge that leads to another state.
  [[nodiscard]] std::set<std::string> ways() const;
  /// Where each event leads from each state.
  [[nodiscard]] std::string overview() const;
  /// What is done about it, where anything is.
  [[nodiscard]] std::string details() const;
};

/// Rows of a Markdown table, the first its header, with the columns one below the other.
[[nodiscard]] std::string markdown_table(const std::vector<std::vector<std::string>>& rows);

/// Plays every event in every situation that can be reached from `start`. A World is a machine and
/// what its surroundings remember of it. It can be copied, and says in which `state()` it is and,
/// by its `key()`, which worlds have the same future. A move gives nothing if it cannot happen now.
template <typename World>
StateTable explore(const World& start, std::vector<std::string> events,
                   const std::vector<std::function<std::optional<Step>(World&)>>& moves) {
  StateTable table{std::move(events), {start.state()}, {}};
  std::set<std::string> known{start.key()};
  std::vector<World> open{start};
  while (!open.empty()) {
    const World world = std::move(open.back());
    open.pop_back();
    for (const auto& move : moves) {
      World next = world;
      const std::optional<Step> step = move(next);
      if (!step) continue;
      table.states.insert(next.state());
      table.edges[{world.state(), step->event}].insert({next.state(), step->actions});
      if (known.insert(next.key()).second) open.push_back(std::move(next));
    }
  }
  return table;
}

}  // namespace clusterd::testing
