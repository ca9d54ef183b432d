#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clusterd::ctl {

/// Rows of text in aligned columns. Width is counted in characters, not bytes.
class Table {
 public:
  enum class Align : std::uint8_t { left, right };

  void column(std::string title, Align align) { columns_.push_back({std::move(title), align}); }
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  /// Two blanks between the columns, none at the ends of lines. A title is bold if `colour`.
  [[nodiscard]] std::string text(bool colour) const;

 private:
  struct Column {
    std::string title;
    Align align;
  };
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace clusterd::ctl
