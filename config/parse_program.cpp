#include "config/parse_program.h"

#include "config/defaults.h"
#include "config/keys.h"

#include <optional>

namespace clusterd::config {

std::string read_program(TomlReader& reader, std::string_view key, const std::string& word,
                         const std::string& directory, const Surroundings& surroundings) {
  const Result<std::string> program = find_program(word, directory, surroundings);
  if (program.has_value()) return *program;
  // In an array of several lines the word has one of its own.
  const toml::array* array = reader.find(key)->as_array();
  reader.blame(place_of(array->front().source()), key, program.error().message());
  return "";
}

std::map<std::string, std::vector<std::string>> read_hooks(TomlReader& top,
                                                           const std::string& directory,
                                                           const Surroundings& surroundings,
                                                           Mistakes& mistakes) {
  constexpr std::string_view kTable = "hooks";
  std::map<std::string, std::vector<std::string>> hooks;
  const toml::table* table = top.table(kTable);
  if (table == nullptr) return hooks;
  TomlReader reader(*table, kTable, mistakes);
  reader.check_keys();
  for (const Key& key : keys()) {
    if (key.table != kTable) continue;
    std::optional<std::vector<std::string>> words = reader.words(key.name);
    if (!words || words->empty()) continue;
    words->front() = read_program(reader, key.name, words->front(), directory, surroundings);
    hooks.emplace(key.name, std::move(*words));
  }
  return hooks;
}

}  // namespace clusterd::config
