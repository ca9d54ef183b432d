#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace clusterd {

/// Cuts a stream into lines, holding at most one unfinished line of a bounded length.
class LineReader {
 public:
  explicit LineReader(std::size_t longest) : longest_(longest) {}

  /// Adds what was read. Take all lines with next() before the next call.
  void add(std::string_view bytes) {
    buffer_.erase(0, std::exchange(start_, 0));
    buffer_.append(bytes);
  }

  /// The next whole line without its '\n' (and without a '\r' before it), valid until add().
  [[nodiscard]] std::optional<std::string_view> next() {
    const std::size_t end = buffer_.find('\n', start_);
    if (end == std::string::npos) return std::nullopt;
    std::string_view line(buffer_.data() + start_, end - start_);
    start_ = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  [[nodiscard]] std::size_t longest() const { return longest_; }

  /// What is left, after next() gave nothing, is longer than a line may be.
  [[nodiscard]] bool too_long() const { return buffer_.size() - start_ > longest_; }

 private:
  std::size_t longest_;
  std::string buffer_;
  std::size_t start_ = 0;
};

}  // namespace clusterd
