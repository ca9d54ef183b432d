#include "config/toml_reader.h"

#include "config/defaults.h"
#include "config/keys.h"
#include "config/nearest.h"

#include <algorithm>

namespace clusterd::config {
namespace {

constexpr std::string_view kDuration = R"(a duration such as "5s")";
constexpr std::string_view kBytes = R"(a number of bytes, or a string such as "512MiB")";
constexpr std::string_view kWords = "an array of non-empty strings";
constexpr std::string_view kOctal = R"(an octal string such as "0660")";

}  // namespace

Place place_of(const toml::source_region& source) {
  // An option is one line: its origin says it all.
  if (source.path != nullptr) return {0, *source.path};
  return {static_cast<int>(source.begin.line)};
}

std::string described(const toml::node& node) {
  if (const auto* text = node.as_string()) return "string " + in_quotes(text->get());
  if (const auto* number = node.as_integer()) return "integer " + std::to_string(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "boolean true" : "boolean false";
  if (node.is_floating_point()) return "a number with a fraction";
  if (node.is_table()) return "a table";
  if (node.is_array()) return "an array";
  return "a date or time";
}

void TomlReader::check_keys() {
  for (const auto& [key, node] : table_) {
    if (find_key(name_, key.str()) != nullptr) continue;
    blame(place_of(key.source()), unknown_key(name_, key.str()));
  }
}

Place TomlReader::place(std::string_view key) const {
  const toml::node* node = find(key);
  return node == nullptr ? place() : place_of(node->source());
}

void TomlReader::blame(const Place& place, std::string what) {
  mistakes_.push_back({place.line, std::move(what), place.origin});
}

void TomlReader::blame(const Place& place, std::string_view key, const std::string& what) {
  blame(place, path_of(name_, key) + ": " + what);
}

void TomlReader::wrong(std::string_view key, std::string_view wanted, const toml::node& got) {
  blame(place_of(got.source()),
        path_of(name_, key) + ": expected " + std::string(wanted) + ", got " + described(got));
}

std::optional<std::string> TomlReader::string(std::string_view key, const toml::node& node,
                                              std::string_view wanted) {
  const auto* text = node.as_string();
  if (text == nullptr) {
    wrong(key, wanted, node);
    return std::nullopt;
  }
  if (text->get().find('\0') != std::string::npos) {
    blame(place_of(node.source()), path_of(name_, key) + ": contains a NUL byte");
    return std::nullopt;
  }
  return text->get();
}

std::optional<std::string> TomlReader::string(std::string_view key, std::string_view wanted) {
  const toml::node* node = find(key);
  return node == nullptr ? std::nullopt : string(key, *node, wanted);
}

std::optional<std::string> TomlReader::path(std::string_view key, const std::string& folder) {
  const std::optional<std::string> text = string(key, "a path");
  if (!text) return std::nullopt;
  if (!text->empty()) return resolved(folder, *text);
  wrong(key, "a path", *find(key));
  return std::nullopt;
}

std::optional<std::int64_t> TomlReader::integer(std::string_view key, Range range,
                                                std::string_view otherwise) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* number = node->as_integer();
  if (number != nullptr && number->get() >= range.low && number->get() <= range.high) {
    return number->get();
  }
  wrong(key,
        std::string(otherwise) + "an integer from " + std::to_string(range.low) + " to " +
            std::to_string(range.high),
        *node);
  return std::nullopt;
}

void TomlReader::boolean(std::string_view key, bool& result) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const auto* truth = node->as_boolean();
  if (truth == nullptr) return wrong(key, "true or false", *node);
  result = truth->get();
}

std::optional<unsigned> TomlReader::octal(std::string_view key) {
  const std::optional<std::string> text = string(key, kOctal);
  if (!text) return std::nullopt;
  const std::optional<unsigned> mode = parse_octal(*text);
  if (!mode) wrong(key, kOctal, *find(key));
  return mode;
}

void TomlReader::duration(std::string_view key, Zero zero, Duration& result) {
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

void TomlReader::bytes(std::string_view key, std::uint64_t least, std::uint64_t& result) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  std::optional<std::uint64_t> read;
  if (const auto number = node->value_exact<std::int64_t>(); number && *number >= 0) {
    read = static_cast<std::uint64_t>(*number);
  } else if (const auto text = node->value_exact<std::string_view>()) {
    read = parse_bytes(*text);
  }
  if (!read) return wrong(key, kBytes, *node);
  if (*read > kMostBytes) return blame(key, "is more than " + bytes_text(kMostBytes));
  if (*read != 0 && *read < least) {
    return blame(key, "must be 0 or at least " + bytes_text(least) + ", got " + bytes_text(*read));
  }
  result = *read;
}

void TomlReader::share(std::string_view key, double& result) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const auto read = node->is_number() ? node->value<double>() : std::nullopt;
  // Written so that "nan" is no such number.
  if (!read || !(*read >= 0.0 && *read <= 1.0)) return wrong(key, "a number from 0 to 1", *node);
  result = *read;
}

std::optional<std::vector<std::string>> TomlReader::words(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    wrong(key, kWords, *node);
    return std::nullopt;
  }
  std::vector<std::string> words;
  for (const toml::node& element : *array) {
    const std::optional<std::string> word = string(key, element, kWords);
    if (word && word->empty()) wrong(key, kWords, element);
    if (word && !word->empty()) words.push_back(*word);
  }
  if (words.size() < array->size()) return std::nullopt;
  return words;
}

std::optional<std::size_t> TomlReader::find_word(std::string_view key, std::string_view thing,
                                                 std::span<const std::string_view> words) {
  const std::optional<std::string> text = string(key, listed(words));
  if (!text) return std::nullopt;
  const auto found = std::find(words.begin(), words.end(), *text);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());

  const std::string_view close = nearest(*text, words);
  blame(place(key), "unknown " + std::string(thing) + " " + in_quotes(*text) + "; expected " +
                        listed(words) +
                        (close.empty() ? "" : "; did you mean " + in_quotes(close) + "?"));
  return std::nullopt;
}

const toml::table* TomlReader::table(std::string_view key) {
  const toml::node* node = find(key);
  if (node != nullptr && !node->is_table()) wrong(key, "a table", *node);
  return node == nullptr ? nullptr : node->as_table();
}

}  // namespace clusterd::config
