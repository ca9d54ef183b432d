#pragma once

#include <string>
#include <vector>

namespace clusterd::config {

/// One thing wrong in what the operator said.
struct Mistake {
  int line = 0;  ///< 1-based; 0 where no line is to blame
  std::string what;
  std::string origin = {};  ///< empty: app.conf; else the option or the other file that said it

  friend bool operator==(const Mistake&, const Mistake&) = default;
};

using Mistakes = std::vector<Mistake>;

/// "app.conf:12: unknown key \"worker.comand\"; did you mean \"command\"?", where `file` is
/// app.conf as the operator named it.
[[nodiscard]] std::string text(const std::string& file, const Mistake& mistake);

}  // namespace clusterd::config
