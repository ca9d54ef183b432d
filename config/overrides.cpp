#include "config/overrides.h"

#include "config/keys.h"
#include "config/nearest.h"
#include "config/words.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace clusterd::config {
namespace {

constexpr std::size_t kMostNames = 8;  // that a mistake lists

/// A table whose names are the user's.
bool is_env(std::string_view table) { return table == "worker.env" || table == "agent.env"; }

/// A table with the one key "value", which is what `text` is as TOML, or nothing.
std::optional<toml::table> parse_value(const std::string& text, const std::string& origin) {
  try {
    toml::table table = toml::parse("value = " + text, origin);
    // "1\nname = 'x'" would be more than a value.
    if (table.size() == 1) return table;
  } catch (const toml::parse_error&) {
    return std::nullopt;
  }
  return std::nullopt;
}

/// The [[listen]] or [[schedule]] table that has this name or else this address, or nullptr;
/// `names` gets what all of them are called.
toml::table* find_named(toml::table& top, std::string_view tables, std::string_view wanted,
                        std::vector<std::string_view>& names) {
  toml::array* array = top.get_as<toml::array>(tables);
  toml::table* by_address = nullptr;
  for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
    toml::table* listener = array->get_as<toml::table>(i);
    if (listener == nullptr) continue;
    const auto name = (*listener)["name"].value<std::string_view>();
    const auto address = (*listener)["address"].value<std::string_view>();
    if (name == wanted) return listener;
    if (address == wanted && by_address == nullptr) by_address = listener;
    if (name || address) names.push_back(name ? *name : *address);
  }
  return by_address;
}

/// One --set on its way to the table that it belongs in.
class Override {
 public:
  Override(std::string_view set, toml::table& top, Mistakes& mistakes)
      : set_(set), origin_(shortened(set)), table_(&top), mistakes_(mistakes) {}

  void apply() {
    const std::size_t equals = set_.find('=');
    if (equals == std::string_view::npos || equals == 0) return blame("expected KEY=VALUE");
    const std::optional<std::string_view> key = walk(set_.substr(0, equals));
    if (!key || table_ == nullptr) return;
    const Key* known = find_key(name_, *key);
    if (known == nullptr && !is_env(name_)) return blame(unknown_key(name_, *key));
    put(*key, known == nullptr ? Form::text : known->form, std::string(set_.substr(equals + 1)));
  }

 private:
  static std::string shortened(std::string_view set) {
    const std::string quoted = in_quotes(set, 200);
    return "--set " + quoted.substr(1, quoted.size() - 2);
  }
  void blame(std::string what) { mistakes_.push_back({0, std::move(what), origin_}); }

  std::optional<std::string_view> walk(std::string_view path);
  std::optional<std::string_view> walk_to_named(std::string_view path);
  void enter(std::string_view key);
  void put(std::string_view key, Form form, const std::string& text);

  std::string_view set_;
  std::string origin_;
  toml::table* table_;     ///< nullptr: something in app.conf is no table, and is blamed later
  std::string name_ = "";  ///< of table_, as in keys.h
  Mistakes& mistakes_;
};

/// Goes into the tables that `path` names, and gives the rest, which is a key.
std::optional<std::string_view> Override::walk(std::string_view path) {
  for (;;) {
    const std::size_t dot = path.find('.');
    if (dot == std::string_view::npos || is_env(name_)) return path;
    const std::string_view key = path.substr(0, dot);
    path.remove_prefix(dot + 1);
    std::string name = path_of(name_, key);
    if (name == "listen" || name == "schedule") {
      name_ = std::move(name);
      return walk_to_named(path);
    }
    if (find_key(name_, key) == nullptr) {
      blame(unknown_key(name_, key));
      return std::nullopt;
    }
    if (find_table(name) == nullptr && !is_env(name)) {
      blame(in_quotes(name) + " is not a table");
      return std::nullopt;
    }
    enter(key);
    name_ = std::move(name);
  }
}

/// `path` is "NAME.KEY", and NAME may have dots.
std::optional<std::string_view> Override::walk_to_named(std::string_view path) {
  const bool listens = name_ == "listen";
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) {
    blame(listens ? "expected listen.NAME.KEY, where NAME is a listener's name or address"
                  : "expected schedule.NAME.KEY, where NAME is a schedule's name");
    return std::nullopt;
  }
  std::vector<std::string_view> names;
  const std::string_view wanted = path.substr(0, dot);
  table_ = find_named(*table_, name_, wanted, names);
  if (table_ != nullptr) return path.substr(dot + 1);
  const std::string_view close = nearest(wanted, names);
  std::string help;
  if (!names.empty() && names.size() <= kMostNames) help = "; expected " + listed(names);
  if (!close.empty()) help = "; did you mean " + in_quotes(close) + "?";
  blame("no " + std::string(listens ? "listener" : "schedule") + " is called " + in_quotes(wanted) +
        help);
  return std::nullopt;
}

void Override::enter(std::string_view key) {
  if (table_ == nullptr) return;
  if (!table_->contains(key)) table_->insert(key, toml::table());
  table_ = table_->get_as<toml::table>(key);
}

void Override::put(std::string_view key, Form form, const std::string& text) {
  std::optional<toml::table> parsed;
  const auto dots = static_cast<std::size_t>(std::count(text.begin(), text.end(), '.'));
  if (form == Form::other && dots <= kMostDots) parsed = parse_value(text, origin_);
  if (!parsed) parsed = parse_value(as_toml(text), origin_);
  if (!parsed) return blame("the value is not UTF-8");
  toml::node& value = *parsed->get("value");
  // Erased first, since an old key would keep its line. Moved, since a copy has no origin.
  table_->erase(key);
  table_->insert(toml::key(key, value.source()), std::move(value));
}

}  // namespace

void apply_sets(std::span<const std::string> sets, toml::table& top, Mistakes& mistakes) {
  for (const std::string& set : sets) Override(set, top, mistakes).apply();
}

}  // namespace clusterd::config
