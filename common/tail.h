#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace clusterd {

/// The last of what a program printed, in a bounded space.
class Tail {
 public:
  explicit Tail(std::size_t most) : most_(most) {}

  void add(std::string_view bytes);

  /// What was added last, as text for a terminal or for JSON: at most as many bytes as were said,
  /// from the first whole line on (from anywhere if all of it is one line), without the newlines
  /// at its end. UTF-8, where each wrong byte is U+FFFD; without control characters but newline
  /// and tab, and without the escape sequences of colours.
  [[nodiscard]] std::string text() const;

 private:
  std::size_t most_;
  std::string kept_;  ///< up to twice `most_`, so that not every call moves it
  bool cut_ = false;  ///< something was before
};

}  // namespace clusterd
