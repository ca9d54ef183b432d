#pragma once

#include "config/nearest.h"
#include "config/parse.h"
#include "config/words.h"

#include <toml++/toml.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace clusterd::config {

inline constexpr std::string_view kDuration = R"(a duration such as "5s")";

[[nodiscard]] inline int line_of(const toml::source_region& source) {
  return static_cast<int>(source.begin.line);
}

/// "; did you mean "command"?", or nothing if no known word is close.
[[nodiscard]] inline std::string suggestion(std::string_view word,
                                            std::span<const std::string_view> known) {
  const std::string_view close = nearest(word, known);
  return close.empty() ? "" : "; did you mean " + in_quotes(close) + "?";
}

/// A value as a mistake shows it: `integer 5`, `string "x"`, `a table`.
[[nodiscard]] inline std::string described(const toml::node& node) {
  if (const auto* text = node.as_string()) return "string " + in_quotes(text->get());
  if (const auto* number = node.as_integer()) return "integer " + std::to_string(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "boolean true" : "boolean false";
  if (node.is_floating_point()) return "a number with a fraction";
  if (node.is_table()) return "a table";
  if (node.is_array()) return "an array";
  return "a date or time";
}

/// One table of app.conf. Each read checks the value at a key and writes down what is wrong with
/// it; a key that is missing, and a value that is wrong, leave the result as it was.
class TomlReader {
 public:
  /// `title` is how a mistake calls the table ("in [worker]"), `path` goes before its keys
  /// ("worker."). All but the two strings must outlive the reader.
  TomlReader(const toml::table& table, std::string title, std::string path, Mistakes& mistakes)
      : table_(table), title_(std::move(title)), path_(std::move(path)), mistakes_(mistakes) {}

  [[nodiscard]] int line() const { return line_of(table_.source()); }
  [[nodiscard]] const toml::node* find(std::string_view key) const { return table_.get(key); }

  /// The line of the value at `key`; where there is none, the table's.
  [[nodiscard]] int line(std::string_view key) const {
    const toml::node* node = find(key);
    return node == nullptr ? line() : line_of(node->source());
  }

  void blame(int line, std::string what) { mistakes_.push_back({line, std::move(what)}); }

  /// "worker.env: WHAT"
  void blame(std::string_view key, const std::string& what) {
    blame(line(key), path_ + std::string(key) + ": " + what);
  }

  /// "worker.env: expected WANTED, got integer 5"
  void wrong(std::string_view key, std::string_view wanted, const toml::node& got) {
    blame(line_of(got.source()), path_ + std::string(key) + ": expected " + std::string(wanted) +
                                     ", got " + described(got));
  }

  /// Blames every key that is not one of `known`.
  void allow_only(std::span<const std::string_view> known) {
    for (const auto& [key, node] : table_) {
      if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
      std::string help = suggestion(key.str(), known);
      if (help.empty()) help = "; expected " + listed(known);
      blame(line_of(key.source()), "unknown key " + in_quotes(key.str()) + " " + title_ + help);
    }
  }

  /// A string without NUL bytes, which no path, address, argument or variable can have.
  [[nodiscard]] std::optional<std::string> string(std::string_view key, const toml::node& node,
                                                  std::string_view wanted = "a string") {
    const auto* text = node.as_string();
    if (text == nullptr) {
      wrong(key, wanted, node);
      return std::nullopt;
    }
    if (text->get().find('\0') != std::string::npos) {
      blame(line_of(node.source()), path_ + std::string(key) + ": contains a NUL byte");
      return std::nullopt;
    }
    return text->get();
  }

  [[nodiscard]] std::optional<std::string> string(std::string_view key,
                                                  std::string_view wanted = "a string") {
    const toml::node* node = find(key);
    return node == nullptr ? std::nullopt : string(key, *node, wanted);
  }

  template <std::integral T>
  void integer(std::string_view key, T low, T high, T& result, std::string_view otherwise = "") {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const auto* number = node->as_integer();
    if (number != nullptr && number->get() >= low && number->get() <= high) {
      result = static_cast<T>(number->get());
      return;
    }
    wrong(key,
          std::string(otherwise) + "an integer from " + std::to_string(low) + " to " +
              std::to_string(high),
          *node);
  }

  enum class Zero : std::uint8_t { refused, allowed };

  void duration(std::string_view key, Zero zero, Duration& result) {
    const std::optional<std::string> text = string(key, kDuration);
    if (!text) return;
    const std::optional<Duration> read = parse_duration(*text);
    if (!read) return wrong(key, kDuration, *find(key));
    if (*read > kLongest) return blame(key, in_quotes(*text) + " is longer than 30 days");
    if (*read == Duration::zero() && zero == Zero::refused) {
      return blame(key, "must be longer than " + in_quotes(*text));
    }
    result = *read;
  }

  /// One of some words; `thing` is what they name ("policy").
  template <typename T>
  void choice(std::string_view key, std::string_view thing,
              std::span<const std::pair<std::string_view, T>> choices, T& result) {
    std::vector<std::string_view> words;
    for (const auto& [word, value] : choices) words.push_back(word);
    const std::optional<std::string> text = string(key, listed(words));
    if (!text) return;
    for (const auto& [word, value] : choices) {
      if (*text == word) {
        result = value;
        return;
      }
    }
    blame(line(key), "unknown " + std::string(thing) + " " + in_quotes(*text) + "; expected " +
                         listed(words) + suggestion(*text, words));
  }

  /// The table at `key`, or nullptr.
  [[nodiscard]] const toml::table* table(std::string_view key) {
    const toml::node* node = find(key);
    if (node != nullptr && !node->is_table()) wrong(key, "a table", *node);
    return node == nullptr ? nullptr : node->as_table();
  }

 private:
  const toml::table& table_;
  std::string title_;
  std::string path_;
  Mistakes& mistakes_;
};

}  // namespace clusterd::config
