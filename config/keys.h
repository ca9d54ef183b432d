#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace clusterd::config {

/// One table of app.conf.
struct Table {
  std::string_view name;   ///< "worker", "restart.backoff"; empty for the top level
  std::string_view title;  ///< as a mistake and the documentation call it: "[worker]"
};

/// How --set reads a key's value.
enum class Form : std::uint8_t {
  text,   ///< as it stands: the key takes a string and nothing else
  other,  ///< as TOML, and if it is none, as it stands
};

/// One key of app.conf.
struct Key {
  std::string_view table;  ///< a Table's name
  std::string_view name;
  Form form = Form::text;
  std::string_view type;      ///< what it takes, in words
  std::string_view fallback;  ///< its default: as TOML, or, if there is an `example`, in words
  std::string_view meaning;   ///< one sentence
  std::string_view example = "";

  /// A value for it, as TOML.
  [[nodiscard]] std::string_view sample() const { return example.empty() ? fallback : example; }
  [[nodiscard]] bool required() const { return fallback == "required"; }
};

/// The only list of what app.conf may say: the checks, --set, docs/KEYS.md and `clusterd init` are
/// made from it. The keys of a table stand together, and tables in the same order.
[[nodiscard]] std::span<const Table> tables();
[[nodiscard]] std::span<const Key> keys();

/// Each of them or nullptr.
[[nodiscard]] const Table* find_table(std::string_view name);
[[nodiscard]] const Key* find_key(std::string_view table, std::string_view name);

/// "worker.env", or "workers" at the top level.
[[nodiscard]] std::string path_of(std::string_view table, std::string_view key);

/// `unknown key "comand" in [worker]; did you mean "command"?`
[[nodiscard]] std::string unknown_key(std::string_view table, std::string_view name);

/// docs/KEYS.md.
[[nodiscard]] std::string keys_markdown();

/// What --set can be completed to, a line each: not what stands in a table that the user names.
[[nodiscard]] std::string keys_for_set();

}  // namespace clusterd::config
