#include "tests/support/state_table.h"

#include <doctest/doctest.h>

namespace clusterd::testing {
namespace {

constexpr std::size_t kWidestLast = 16;

std::string code(const std::string& text) { return "`" + text + "`"; }

void append(std::string& list, const std::string& item, const char* between) {
  if (!list.empty()) list += between;
  list += item;
}

/// The states that an event leads to; a dot where nothing is done, and empty if it cannot happen.
std::string targets(const StateName& from, const std::set<Edge>& edges) {
  if (edges.empty()) return "";
  if (edges == std::set<Edge>{{from, ""}}) return "·";
  std::set<StateName> states;
  for (const Edge& edge : edges) states.insert(edge.to);
  std::string list;
  for (const StateName& state : states) append(list, state.name, ", ");
  return list;
}

/// Characters, not bytes.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
  }));
}

}  // namespace

void StateTable::add(const StateTable& other) {
  states.insert(other.states.begin(), other.states.end());
  for (const auto& [from, to] : other.edges) edges[from].insert(to.begin(), to.end());
}

std::set<std::string> StateTable::ways() const {
  std::set<std::string> all;
  for (const auto& [from, edges_from] : edges) {
    for (const Edge& edge : edges_from) {
      if (edge.to == from.first) continue;
      all.insert(from.first.name + " -> " + edge.to.name + ": " + from.second);
    }
  }
  return all;
}

std::string StateTable::overview() const {
  std::vector<std::vector<std::string>> rows{{"event \\ in state"}};
  for (const StateName& state : states) rows[0].push_back(code(state.name));
  for (const std::string& event : events) {
    std::vector<std::string> row{event};
    for (const StateName& state : states) {
      const auto found = edges.find({state, event});
      row.push_back(found == edges.end() ? "" : targets(state, found->second));
    }
    rows.push_back(std::move(row));
  }
  return markdown_table(rows);
}

std::string StateTable::details() const {
  std::vector<std::vector<std::string>> rows{{"state", "event", "next", "actions"}};
  for (const StateName& state : states) {
    for (const std::string& event : events) {
      const auto found = edges.find({state, event});
      if (found == edges.end()) continue;
      std::map<StateName, std::string> answers;  // where the situation decides, "or"
      for (const Edge& edge : found->second) {
        if (edge.to != state || !edge.actions.empty()) {
          append(answers[edge.to], edge.actions, " *or* ");
        }
      }
      for (const auto& [to, actions] : answers) {
        rows.push_back({code(state.name), event, code(to.name), actions});
      }
    }
  }
  return markdown_table(rows);
}

std::string markdown_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows[0].size(), 3);
  for (const auto& row : rows) {
    REQUIRE(row.size() == widths.size());
    for (std::size_t at = 0; at < row.size(); ++at) {
      const std::size_t cell = width(row[at]);
      // Nothing stands behind the last column: where its cells are sentences, they end as they end.
      if (at + 1 < row.size() || cell <= kWidestLast) widths[at] = std::max(widths[at], cell);
    }
  }
  const auto line = [&](const std::vector<std::string>& row, char fill) {
    std::string text;
    for (std::size_t at = 0; at < row.size(); ++at) {
      const std::size_t used = width(row[at]);
      text += "| " + row[at];
      text += std::string(used < widths[at] ? widths[at] - used : 0, fill) + " ";
    }
    return text + "|\n";
  };
  std::string text = line(rows[0], ' ') + line(std::vector<std::string>(widths.size()), '-');
  for (std::size_t at = 1; at < rows.size(); ++at) text += line(rows[at], ' ');
  return text;
}

}  // namespace clusterd::testing
