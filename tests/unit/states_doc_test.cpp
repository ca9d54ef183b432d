#include "tests/unit/state_tables.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace clusterd::core {
namespace {

using testing::StateTable;

struct Machine {
  const char* name;
  StateTable (*table)();
};
constexpr Machine kMachines[] = {{"cluster", cluster_states}, {"rollout", rollout_states},
                                 {"slot", slot_states},       {"child", child_states},
                                 {"ledger", ledger_states},   {"seat", seat_states}};

std::filesystem::path docs() { return std::filesystem::path(CLUSTERD_SOURCE_DIR) / "docs"; }

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.is_open(), path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The place of what stands between the two, from `at` on: its start, and its length.
std::pair<std::size_t, std::size_t> between(const std::string& text, const std::string& start,
                                            const std::string& end, std::size_t at = 0) {
  const std::size_t from = text.find(start, at);
  if (from == std::string::npos) return {from, 0};
  const std::size_t to = text.find(end, from + start.size());
  REQUIRE_MESSAGE(to != std::string::npos, start << " has no " << end);
  return {from + start.size(), to - from - start.size()};
}

std::string in_blocks(std::string text) {
  const auto put = [&](const std::string& name, const std::string& block) {
    const auto [at, length] = between(text, "<!-- " + name + " -->\n", "<!-- end -->");
    REQUIRE_MESSAGE(at != std::string::npos, "docs/STATES.md has no block " << name);
    text.replace(at, length, block);
  };
  for (const Machine& machine : kMachines) {
    const StateTable table = machine.table();
    put(std::string(machine.name) + ": where", table.overview());
    put(std::string(machine.name) + ": what", table.details());
  }
  put("delays", restart_delays());
  return text;
}

/// Of "A; B".
std::vector<std::string> parts(const std::string& list) {
  std::vector<std::string> result;
  std::size_t at = 0;
  while (at <= list.size()) {
    const std::size_t end = std::min(list.find("; ", at), list.size());
    result.push_back(list.substr(at, end - at));
    at = end + 2;
  }
  return result;
}

/// Each arrow's title says what it stands for: lines of "FROM; FROM -> TO: EVENT; EVENT".
std::set<std::string> drawn_ways(const std::string& svg) {
  std::set<std::string> ways;
  for (auto place = between(svg, "<title>", "</title>"); place.first != std::string::npos;
       place = between(svg, "<title>", "</title>", place.first)) {
    std::istringstream lines(svg.substr(place.first, place.second));
    for (std::string line; std::getline(lines, line);) {
      const std::size_t arrow = line.find(" -> ");
      const std::size_t colon = line.find(": ");
      REQUIRE_MESSAGE((arrow < colon && colon != std::string::npos), line);
      const std::string to = line.substr(arrow + 4, colon - arrow - 4);
      for (const std::string& from : parts(line.substr(0, arrow))) {
        for (const std::string& event : parts(line.substr(colon + 2))) {
          ways.insert(from + " -> " + to + ": " + event);
        }
      }
    }
  }
  return ways;
}

}  // namespace

TEST_CASE("docs/STATES.md has the tables that the machines of the core have") {
  const std::filesystem::path path = docs() / "STATES.md";
  const std::string file = content(path);
  const std::string right = in_blocks(file);
  if (std::getenv("CLUSTERD_WRITE_DOCS") != nullptr) std::ofstream(path) << right;
  INFO("look at what changed, and make it anew: CLUSTERD_WRITE_DOCS=1 unit_tests -tc='docs/ST*'");
  const bool same = file == right;
  CHECK((same || std::getenv("CLUSTERD_WRITE_DOCS") != nullptr));
}

TEST_CASE("docs/STATES.md tells of every state") {
  const std::string file = content(docs() / "STATES.md");
  for (const Machine& machine : kMachines) {
    const auto [at, length] =
        between(file, "<!-- " + std::string(machine.name) + ": states -->\n", "<!-- end -->");
    REQUIRE_MESSAGE(at != std::string::npos, machine.name);
    std::istringstream lines(file.substr(at, length));
    std::set<std::string> told;
    for (std::string line; std::getline(lines, line);) {
      const auto [name, size] = between(line, "| `", "`");
      if (name != std::string::npos) told.insert(line.substr(name, size));
    }
    std::set<std::string> there;
    for (const testing::StateName& state : machine.table().states) there.insert(state.name);
    INFO(std::string(machine.name));
    for (const std::string& state : there) CHECK_MESSAGE(told.count(state) == 1, state);
    for (const std::string& state : told) CHECK_MESSAGE(there.count(state) == 1, state);
  }
}

TEST_CASE("the drawings of the machines have every way from one state to another") {
  for (const Machine& machine : kMachines) {
    const std::string name = "states-" + std::string(machine.name) + ".svg";
    const std::set<std::string> drawn = drawn_ways(content(docs() / name));
    const std::set<std::string> there = machine.table().ways();
    for (const std::string& way : there) CHECK_MESSAGE(drawn.count(way) == 1, name, ": ", way);
    for (const std::string& way : drawn) CHECK_MESSAGE(there.count(way) == 1, name, ": ", way);
  }
}

}  // namespace clusterd::core
