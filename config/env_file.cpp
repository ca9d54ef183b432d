#include "config/env_file.h"

#include "config/words.h"

#include <cstddef>
#include <utility>

namespace clusterd::config {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view without_blanks_at_end(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// "export NAME" is NAME; a variable may be called "export" all the same.
std::string_view without_export(std::string_view name) {
  constexpr std::string_view kExport = "export";
  if (!name.starts_with(kExport)) return name;
  const std::size_t start = name.find_first_not_of(" \t", kExport.size());
  if (start == kExport.size() || start == std::string_view::npos) return name;
  return name.substr(start);
}

class EnvFile {
 public:
  EnvFile(const std::string& name, std::string_view text, Mistakes& mistakes)
      : name_(name), text_(text), mistakes_(mistakes) {}

  void read(std::map<std::string, std::string>& variables) {
    while (!at_end()) read_line(variables);
  }

 private:
  void read_line(std::map<std::string, std::string>& variables);
  std::string read_value();
  std::string read_plain();
  std::string read_quoted();

  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] bool at_line_end() const { return at_end() || text_[at_] == '\n'; }
  [[nodiscard]] bool at_quote() const {
    return !at_end() && (text_[at_] == '"' || text_[at_] == '\'');
  }
  void skip_blanks() {
    while (!at_end() && is_blank(text_[at_])) ++at_;
  }
  char take() {
    const char c = text_[at_++];
    if (c == '\n') ++line_;
    return c;
  }
  /// Up to, but without, the end of the line.
  std::string_view take_line() {
    const std::string_view line = text_.substr(at_, text_.find('\n', at_) - at_);
    at_ += line.size();
    return line;
  }
  void blame(int line, std::string what) { mistakes_.push_back({line, std::move(what), name_}); }

  const std::string& name_;
  std::string_view text_;
  Mistakes& mistakes_;
  std::size_t at_ = 0;
  int line_ = 1;
};

void EnvFile::read_line(std::map<std::string, std::string>& variables) {
  skip_blanks();
  const int line = line_;
  if (!at_line_end() && (text_[at_] == '#' || text_[at_] == ';')) take_line();
  if (!at_line_end()) {
    const std::string_view rest = text_.substr(at_, text_.find('\n', at_) - at_);
    const std::size_t equals = rest.find('=');
    if (equals == std::string_view::npos) {
      blame(line, "expected NAME=VALUE, got " + in_quotes(take_line()));
    } else {
      const std::string name(without_export(without_blanks_at_end(rest.substr(0, equals))));
      at_ += equals + 1;
      std::string value = read_value();
      const std::string why = why_not_variable(name);
      if (!why.empty()) blame(line, why);
      variables.insert_or_assign(name, std::move(value));
    }
  }
  if (!at_end()) take();
}

std::string EnvFile::read_value() {
  skip_blanks();
  if (!at_quote()) return read_plain();
  std::string value;
  while (at_quote()) value += read_quoted();
  skip_blanks();
  if (!at_line_end()) {
    blame(line_, "unexpected " + in_quotes(take_line()) + " after the closing quote");
  }
  return value;
}

std::string EnvFile::read_plain() {
  std::string value;
  std::size_t last = 0;  // what is before it is no blank at the end
  while (!at_line_end()) {
    const char c = take();
    if (c != '\\') {
      value += c;
      if (!is_blank(c)) last = value.size();
    } else if (!at_end()) {
      if (const char next = take(); next != '\n') value += next;
      last = value.size();
    }
  }
  value.resize(last);
  return value;
}

std::string EnvFile::read_quoted() {
  constexpr std::string_view kEscaped = "\"\\`$";
  const int line = line_;
  const char quote = take();
  std::string value;
  while (!at_end()) {
    const char c = take();
    if (c == quote) return value;
    if (c == '\\' && quote == '"' && !at_end()) {
      const char next = take();
      if (next == '\n') continue;
      if (kEscaped.find(next) == std::string_view::npos) value += c;
      value += next;
    } else {
      value += c;
    }
  }
  blame(line, "a quote is not closed");
  return value;
}

/// Each CR LF as LF.
std::string with_plain_ends(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!text.substr(i).starts_with("\r\n")) result += text[i];
  }
  return result;
}

}  // namespace

void parse_env_file(const std::string& name, std::string_view text,
                    std::map<std::string, std::string>& variables, Mistakes& mistakes) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    const auto lines =
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n');
    return mistakes.push_back({static_cast<int>(lines) + 1, "contains a NUL byte", name});
  }
  const std::string plain = with_plain_ends(text);
  EnvFile(name, plain, mistakes).read(variables);
}

}  // namespace clusterd::config
