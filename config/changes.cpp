#include "config/changes.h"

#include "config/change_rows.h"
#include "config/check_protocol.h"
#include "config/keys.h"
#include "config/parse_log.h"
#include "config/value_text.h"

#include <algorithm>
#include <functional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

namespace clusterd::config {
namespace {

using namespace value_text;
using change_rows::Row;

/// The default in words of the key at `path`.
std::string fallback(std::string_view path) {
  const auto all = keys();
  const auto found = std::find_if(
      all.begin(), all.end(), [&](const Key& key) { return path_of(key.table, key.name) == path; });
  return found == all.end() ? "" : std::string(found->fallback);
}

/// "10s -> 20s" for each of `rows` that differs, after what `begin` makes of the key.
template <typename Owner>
void compare(const Owner& before, const Owner& after, std::span<const Row<Owner>> rows,
             std::string_view table, const auto& begin, std::vector<std::string>& lines) {
  for (const Row<Owner>& row : rows) {
    const std::string old_text = row.text(before);
    const std::string new_text = row.text(after);
    if (old_text == new_text) continue;
    const std::string unset = fallback(path_of(table, row.key));
    lines.push_back(begin(row.key) + (old_text.empty() ? unset : old_text) + " -> " +
                    (new_text.empty() ? unset : new_text));
  }
}

std::string with_colon(std::string_view key) { return std::string(key) + ": "; }

std::string or_never(const Log& log) {
  return log.rules.rotates() ? rotate_text(log.rules) : "never";
}

std::function<std::string(std::string_view)> in_table(const std::string& table) {
  return [table](std::string_view key) { return table + "." + std::string(key) + ": "; };
}

template <typename T>
const T* find_named(const std::vector<T>& all, const std::string& name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const T& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

/// Tables that have names: "listen web: closed", "listen web: policy sticky -> round-robin".
template <typename T>
void compare_named(const std::vector<T>& before, const std::vector<T>& after,
                   std::span<const Row<T>> rows, const std::string& table, const char* gone,
                   auto come, std::vector<std::string>& lines) {
  const auto title = [&](const T& one) { return table + " " + escaped(one.name) + ": "; };
  for (const T& old_one : before) {
    const T* new_one = find_named(after, old_one.name);
    if (new_one == nullptr) {
      lines.push_back(title(old_one) + gone);
      continue;
    }
    const auto begin = [&](std::string_view key) {
      return title(old_one) + std::string(key) + " ";
    };
    compare<T>(old_one, *new_one, rows, table, begin, lines);
  }
  for (const T& new_one : after) {
    if (find_named(before, new_one.name) == nullptr)
      lines.push_back(title(new_one) + come(new_one));
  }
}

/// Calls `differs(key, old, new)` for each key whose values differ; nullptr where there is none.
template <typename T>
void each_difference(const std::map<std::string, T>& before, const std::map<std::string, T>& after,
                     auto differs) {
  std::set<std::string> names;
  for (const auto& [name, value] : before) names.insert(name);
  for (const auto& [name, value] : after) names.insert(name);
  for (const std::string& name : names) {
    const auto old_one = before.find(name);
    const auto new_one = after.find(name);
    const T* old_value = old_one == before.end() ? nullptr : &old_one->second;
    const T* new_value = new_one == after.end() ? nullptr : &new_one->second;
    const bool same = old_value != nullptr && new_value != nullptr && *old_value == *new_value;
    if (!same) differs(name, old_value, new_value);
  }
}

void compare_env(const Worker& before, const Worker& after, const std::string& table,
                 std::vector<std::string>& lines) {
  each_difference(before.env, after.env,
                  [&](const std::string& name, const auto* old_value, const auto* new_value) {
                    const char* how = old_value == nullptr   ? " added"
                                      : new_value == nullptr ? " removed"
                                                             : " changed";
                    lines.push_back(table + ".env: " + name + how);
                  });
}

/// Of one that was not there, or is not any more, the command says all.
void compare_agents(const Agent& before, const Agent& after, std::vector<std::string>& lines) {
  const bool both = before.is_set() && after.is_set();
  for (const Row<Worker>& row : change_rows::program()) {
    if (find_key("agent", row.key) == nullptr || (!both && row.key != "command")) continue;
    compare<Worker>(before.program, after.program, std::span(&row, 1), "agent", in_table("agent"),
                    lines);
  }
  if (!both) return;
  compare<Agent>(before, after, change_rows::agent(), "agent", in_table("agent"), lines);
}

}  // namespace

std::vector<std::string> changes(const Settings& before, const Settings& after) {
  std::vector<std::string> lines;
  compare_named<Listen>(
      before.listen, after.listen, change_rows::listen(), "listen", "closed",
      [](const Listen& listen) { return "opened on " + change_rows::address(listen); }, lines);
  compare<Settings>(before, after, change_rows::top(), "", &with_colon, lines);
  compare<Worker>(before.worker, after.worker, change_rows::program(), "worker", in_table("worker"),
                  lines);
  compare_agents(before.agent, after.agent, lines);
  compare<Settings>(before, after, change_rows::tables(), "", &with_colon, lines);
  compare_named<Schedule>(
      before.schedules, after.schedules, change_rows::schedule(), "schedule", "removed",
      [](const Schedule& schedule) { return "added, " + change_rows::when(schedule); }, lines);
  compare_env(before.worker, after.worker, "worker", lines);
  compare_env(before.agent.program, after.agent.program, "agent", lines);
  each_difference(before.hooks, after.hooks,
                  [&](const std::string& event, const auto* old_argv, const auto* new_argv) {
                    lines.push_back("hooks." + event + ": " +
                                    (old_argv == nullptr ? "[]" : text(*old_argv)) + " -> " +
                                    (new_argv == nullptr ? "[]" : text(*new_argv)));
                  });
  return lines;
}

std::vector<std::string> cannot_change(const Settings& before, const Settings& after) {
  std::vector<std::string> lines;
  compare<Settings>(before, after, change_rows::fixed(), "", &with_colon, lines);
  if (!may_follow(before.worker.protocol, after.worker.protocol)) {
    lines.push_back("worker.protocol: " + text(before.worker.protocol) + " -> " +
                    text(after.worker.protocol));
  }
  // Who writes the log is settled at the start.
  if (before.log.rules.rotates() != after.log.rules.rotates()) {
    lines.push_back("log.rotate: " + or_never(before.log) + " -> " + or_never(after.log));
  }
  for (std::string& line : lines)
    line += ": a reload cannot change it; it needs a stop and a start";
  return lines;
}

}  // namespace clusterd::config
