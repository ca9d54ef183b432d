#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace clusterd::runtime {

/// Builds a page in the text format of Prometheus, 0.0.4. Its samples stand together by family, as
/// the format wants.
class Exposition {
 public:
  enum class Type : std::uint8_t { counter, gauge };
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  /// What follows are its samples.
  void family(std::string_view name, Type type, std::string_view help);

  void sample(std::uint64_t value, Labels labels = {});
  /// Shortest form that reads back.
  void sample(double value, Labels labels = {});
  void sample(bool value, Labels labels = {}) { sample(std::uint64_t{value ? 1U : 0U}, labels); }

  /// A family of one sample.
  template <typename T>
  void single(std::string_view name, Type type, std::string_view help, T value) {
    family(name, type, help);
    sample(value);
  }

  [[nodiscard]] std::string take() { return std::exchange(text_, {}); }

 private:
  void begin(Labels labels);
  void escape(std::string_view text, bool quotes);

  std::string name_;
  std::string text_;
};

}  // namespace clusterd::runtime
