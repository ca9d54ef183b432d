#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace clusterd::config {

/// A file of a recipe: app.conf itself, or what the server reads beside it.
struct RecipeFile {
  std::string_view name;
  std::string_view text;
  std::string_view origin;  ///< the other example that it belongs to, or ""
};

/// How a server or a language runs as a worker: a folder of examples/recipes.
struct Recipe {
  std::string_view name;              ///< as `clusterd init --worker NAME` takes it
  std::span<const RecipeFile> files;  ///< the first is app.conf
};

/// Made by cmake/Recipes.cmake.
[[nodiscard]] std::span<const Recipe> recipes();
/// Or nullptr.
[[nodiscard]] const Recipe* find_recipe(std::string_view name);
/// Commands that have to be run in its folder first: its app.conf says them by "# First: ".
[[nodiscard]] std::vector<std::string> first_steps(const Recipe& recipe);

/// docs/recipes.md.
[[nodiscard]] std::string recipes_markdown();

}  // namespace clusterd::config
