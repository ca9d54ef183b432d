#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace clusterd::fuzz {

/// What a fuzzer does with one input; each defines its own. It ends the process, by must(), when a
/// promise is broken.
void try_input(std::string_view input);

/// Something that must always hold: else its name is printed, and the process ends.
void must(bool holds, const char* what);

/// An input as a row of decisions. A letter counts from 'a', so that a seed can be read.
class Decisions {
 public:
  explicit Decisions(std::string_view input) : rest_(input) {}

  [[nodiscard]] bool none_left() const { return rest_.empty(); }

  /// 0 to `count` - 1; 0 at the end of the input.
  std::uint32_t pick(std::uint32_t count) {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(rest_.front() - 'a');
    rest_.remove_prefix(1);
    return byte % count;
  }

  /// The next bytes as they are; fewer at the end of the input.
  std::string_view take(std::size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view rest_;
};

}  // namespace clusterd::fuzz
