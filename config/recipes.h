#pragma once

#include <span>
#include <string>
#include <string_view>

namespace clusterd::config {

/// A file of a recipe: app.conf itself, or what the server reads beside it.
struct RecipeFile {
  std::string_view name;
  std::string_view text;
};

/// How a server that we did not write runs as a worker: a folder of examples/recipes.
struct Recipe {
  std::string_view name;              ///< as `clusterd init --worker NAME` takes it
  std::span<const RecipeFile> files;  ///< the first is app.conf
};

/// Made by cmake/Recipes.cmake.
[[nodiscard]] std::span<const Recipe> recipes();
/// Or nullptr.
[[nodiscard]] const Recipe* find_recipe(std::string_view name);

/// docs/recipes.md.
[[nodiscard]] std::string recipes_markdown();

}  // namespace clusterd::config
