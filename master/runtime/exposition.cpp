#include "master/runtime/exposition.h"

#include "common/json.h"

#include <charconv>
#include <cmath>

namespace clusterd::runtime {

void Exposition::family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  text_ += "# HELP " + name_ + " ";
  escape(help, false);
  text_ += "\n# TYPE " + name_ + (type == Type::counter ? " counter\n" : " gauge\n");
}

void Exposition::sample(std::uint64_t value, Labels labels) {
  begin(labels);
  text_ += std::to_string(value) + "\n";
}

void Exposition::sample(double value, Labels labels) {
  begin(labels);
  if (std::isnan(value)) {
    text_ += "NaN\n";
  } else if (std::isinf(value)) {
    text_ += value < 0 ? "-Inf\n" : "+Inf\n";
  } else {
    char digits[32];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
    (void)error;  // 32 bytes hold every double
    text_.append(digits, end);
    text_ += '\n';
  }
}

void Exposition::begin(Labels labels) {
  text_ += name_;
  char before = '{';
  for (const auto& [label, value] : labels) {
    text_ += std::exchange(before, ',');
    text_.append(label).append("=\"");
    escape(value, true);
    text_ += '"';
  }
  text_ += before == '{' ? " " : "} ";
}

/// In a label's value a quote is escaped too. What is not UTF-8 would make the whole page invalid.
void Exposition::escape(std::string_view text, bool quotes) {
  while (!text.empty()) {
    const Utf8Sequence next = scan_utf8(text);
    const char first = text.front();
    if (!next.whole) {
      text_ += "\xef\xbf\xbd";
    } else if (first == '\n') {
      text_ += "\\n";
    } else if (first == '\\' || (quotes && first == '"')) {
      text_ += '\\';
      text_ += first;
    } else {
      text_ += text.substr(0, next.length);
    }
    text.remove_prefix(next.whole ? next.length : 1);
  }
}

}  // namespace clusterd::runtime
