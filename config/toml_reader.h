#pragma once

#include "config/mistake.h"
#include "config/quantity.h"
#include "config/words.h"

#include <toml++/toml.h>

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace clusterd::config {

/// Where something was said, as in Mistake.
struct Place {
  int line = 0;
  std::string origin = {};
};

/// A text that was parsed under a name has that name as its origin.
[[nodiscard]] Place place_of(const toml::source_region& source);

/// A value as a mistake shows it: `integer 5`, `string "x"`, `a table`.
[[nodiscard]] std::string described(const toml::node& node);

/// One table of app.conf. Each read checks the value at a key and writes down what is wrong with
/// it; a key that is missing, and a value that is wrong, leave the result as it was.
class TomlReader {
 public:
  /// `name` is the table's in keys.h ("worker"), or goes before its keys as such a name does. It,
  /// the table and the mistakes must outlive the reader.
  TomlReader(const toml::table& table, std::string_view name, Mistakes& mistakes)
      : table_(table), name_(name), mistakes_(mistakes) {}

  /// Blames every key that this version does not have.
  void check_keys();

  [[nodiscard]] const toml::node* find(std::string_view key) const { return table_.get(key); }

  [[nodiscard]] Place place() const { return place_of(table_.source()); }
  /// The place of the value at `key`; where there is none, the table's.
  [[nodiscard]] Place place(std::string_view key) const;

  void blame(const Place& place, std::string what);
  /// "worker.env: WHAT"
  void blame(std::string_view key, const std::string& what) { blame(place(key), key, what); }
  void blame(const Place& place, std::string_view key, const std::string& what);
  /// "worker.env: expected WANTED, got integer 5"
  void wrong(std::string_view key, std::string_view wanted, const toml::node& got);

  /// A string without NUL bytes, which no path, address, argument or variable can have.
  [[nodiscard]] std::optional<std::string> string(std::string_view key, const toml::node& node,
                                                  std::string_view wanted = "a string");
  [[nodiscard]] std::optional<std::string> string(std::string_view key,
                                                  std::string_view wanted = "a string");

  /// A string that is not empty, as seen from `folder`.
  [[nodiscard]] std::optional<std::string> path(std::string_view key, const std::string& folder);

  struct Range {
    std::int64_t low = 0;
    std::int64_t high = 0;
  };
  /// `otherwise` is what else the key takes: `"auto" or `.
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key, Range range,
                                                    std::string_view otherwise = "");
  template <std::integral T>
  void integer(std::string_view key, Range range, T& result, std::string_view otherwise = "") {
    if (const auto read = integer(key, range, otherwise)) result = static_cast<T>(*read);
  }

  void boolean(std::string_view key, bool& result);

  /// Permissions: "0660".
  [[nodiscard]] std::optional<unsigned> octal(std::string_view key);

  enum class Zero : std::uint8_t { refused, allowed };
  void duration(std::string_view key, Zero zero, Duration& result);

  /// A number or a string with a unit; 0, or at least `least`.
  void bytes(std::string_view key, std::uint64_t least, std::uint64_t& result);

  /// A number from 0 to 1.
  void share(std::string_view key, double& result);

  /// An array of strings, none of them empty, as the arguments of a program: whole, or nothing.
  [[nodiscard]] std::optional<std::vector<std::string>> words(std::string_view key);

  /// One of some words; `thing` is what they name ("policy").
  template <typename T>
  void choice(std::string_view key, std::string_view thing,
              std::span<const std::pair<std::string_view, T>> choices, T& result) {
    std::vector<std::string_view> words;
    for (const auto& [word, value] : choices) words.push_back(word);
    if (const auto index = find_word(key, thing, words)) result = choices[*index].second;
  }

  /// The table at `key`, or nullptr.
  [[nodiscard]] const toml::table* table(std::string_view key);

 private:
  [[nodiscard]] std::optional<std::size_t> find_word(std::string_view key, std::string_view thing,
                                                     std::span<const std::string_view> words);

  const toml::table& table_;
  std::string_view name_;
  Mistakes& mistakes_;
};

}  // namespace clusterd::config
