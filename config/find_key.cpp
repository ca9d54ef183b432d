#include "config/keys.h"
#include "config/nearest.h"
#include "config/words.h"

#include <algorithm>
#include <vector>

namespace clusterd::config {
namespace {

std::string place(const Table& table) {
  return (table.name.empty() ? "at " : "in ") + std::string(table.title);
}

std::vector<std::string_view> names_in(std::string_view table) {
  std::vector<std::string_view> names;
  for (const Key& key : keys()) {
    if (key.table == table) names.push_back(key.name);
  }
  return names;
}

/// The only table that has a key of this name, or nullptr. Those of [agent] are of [worker] too,
/// which is meant more often.
const Table* home_of(std::string_view name) {
  const Table* home = nullptr;
  for (const Table& table : tables()) {
    if (table.name == "agent" || find_key(table.name, name) == nullptr) continue;
    if (home != nullptr) return nullptr;
    home = &table;
  }
  return home;
}

}  // namespace

const Table* find_table(std::string_view name) {
  const auto all = tables();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Table& table) { return table.name == name; });
  return found == all.end() ? nullptr : &*found;
}

const Key* find_key(std::string_view table, std::string_view name) {
  const auto all = keys();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Key& key) {
    return key.table == table && key.name == name;
  });
  return found == all.end() ? nullptr : &*found;
}

std::string path_of(std::string_view table, std::string_view key) {
  std::string path(table);
  if (!path.empty()) path += '.';
  return path.append(key);
}

std::string keys_for_set() {
  std::string names;
  for (const Key& key : keys()) {
    const bool user_names_it = key.table == "listen" || key.table == "schedule";
    if (user_names_it || find_table(path_of(key.table, key.name)) != nullptr) continue;
    names += path_of(key.table, key.name) + "\n";
  }
  return names;
}

std::string unknown_key(std::string_view table, std::string_view name) {
  const std::string what = "unknown key " + in_quotes(name) + " " + place(*find_table(table));
  const std::vector<std::string_view> names = names_in(table);
  const std::string_view close = nearest(name, names);
  if (!close.empty()) return what + "; did you mean " + in_quotes(close) + "?";
  if (const Table* home = home_of(name)) return what + "; it belongs " + place(*home);
  return what + "; expected " + listed(names);
}

}  // namespace clusterd::config
