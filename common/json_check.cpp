#include "common/json.h"
#include "common/plain_prefix.h"

#include <algorithm>

namespace clusterd {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// One walk over the text. Each function takes what it is named after, or fails and returns false.
/// The recursion value() -> object() -> member() -> value() is no deeper than kMaxJsonDepth.
class Checker {
 public:
  Checker(std::string_view text, CheckedJson& result, int depth = 0)
      : checked(result), text_(text), depth_(depth) {}

  bool run();

  CheckedJson& checked;
  JsonError error;

 private:
  bool value(JsonKind& kind);
  bool object();
  bool member();
  bool array();
  bool string();
  bool escape();
  bool beyond_ascii();
  bool number();
  bool digits();
  bool literal(std::string_view word);
  bool enter();

  void skip_space();
  bool skip(char expected);
  bool fail(const char* what);
  bool beyond(const char* limit);
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  /// NUL at the end of the text, which is safe: the grammar has no place for a NUL byte.
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[at_]; }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_;  ///< of objects and arrays around it
};

bool Checker::run() {
  skip_space();
  if (!value(checked.kind)) return false;
  skip_space();
  return at_end() || fail("only white space may follow the value");
}

bool Checker::value(JsonKind& kind) {
  switch (peek()) {
    case '{':
      kind = JsonKind::object;
      return object();
    case '[':
      kind = JsonKind::array;
      return array();
    case '"':
      kind = JsonKind::string;
      return string();
    case 't':
      kind = JsonKind::boolean;
      return literal("true");
    case 'f':
      kind = JsonKind::boolean;
      return literal("false");
    case 'n':
      kind = JsonKind::null;
      return literal("null");
    default:
      kind = JsonKind::number;
      if (peek() != '-' && !is_digit(peek())) return fail("expected a value");
      return number();
  }
}

bool Checker::object() {
  if (!enter()) return false;
  if (peek() != '}') {
    do {
      if (!member()) return false;
    } while (skip(','));
  }
  --depth_;
  return skip('}') || fail("expected ',' or '}'");
}

bool Checker::member() {
  skip_space();
  const bool listed = depth_ == 1;
  const std::size_t key = at_;
  if (peek() != '"') return fail("expected a key in quotes");
  if (listed && checked.members.size() == kMaxJsonMembers) return beyond("too many members");
  if (!string()) return false;
  const std::size_t key_end = at_;

  skip_space();
  if (!skip(':')) return fail("expected ':'");
  skip_space();
  const std::size_t start = at_;
  JsonKind kind{};
  if (!value(kind)) return false;
  if (listed) {
    checked.members.push_back(
        {text_.substr(key + 1, key_end - key - 2), text_.substr(start, at_ - start), kind});
  }
  skip_space();
  return true;
}

bool Checker::array() {
  if (!enter()) return false;
  if (peek() != ']') {
    do {
      skip_space();
      JsonKind kind{};
      if (!value(kind)) return false;
      skip_space();
    } while (skip(','));
  }
  --depth_;
  return skip(']') || fail("expected ',' or ']'");
}

bool Checker::enter() {
  if (depth_ == kMaxJsonDepth) return beyond("nested too deeply");
  ++depth_;
  ++at_;
  skip_space();
  return true;
}

bool Checker::string() {
  ++at_;
  while (true) {
    at_ += plain_prefix(text_.substr(at_));
    if (skip('"')) return true;
    if (!(peek() == '\\' ? escape() : beyond_ascii())) return false;
  }
}

bool Checker::escape() {
  ++at_;
  if (skip('u')) {
    for (int digit = 0; digit < 4; ++digit, ++at_) {
      if (!is_hex(peek())) return fail("expected four hexadecimal digits");
    }
    return true;
  }
  if (at_end() || std::string_view("\"\\/bfnrt").find(peek()) == std::string_view::npos) {
    return fail("unknown escape");
  }
  ++at_;
  return true;
}

bool Checker::beyond_ascii() {
  if (static_cast<unsigned char>(peek()) < 0x20) return fail("control character in a string");
  const Utf8Sequence sequence = scan_utf8(text_.substr(at_));
  at_ += sequence.length;
  return sequence.whole || fail("not UTF-8");
}

bool Checker::number() {
  skip('-');
  if (skip('0')) {
    if (is_digit(peek())) return fail("a number has no leading zeros");
  } else if (!digits()) {
    return false;
  }
  if (skip('.') && !digits()) return false;
  if (!skip('e') && !skip('E')) return true;
  if (!skip('+')) skip('-');
  return digits();
}

bool Checker::digits() {
  if (!is_digit(peek())) return fail("expected a digit");
  while (is_digit(peek())) ++at_;
  return true;
}

bool Checker::literal(std::string_view word) {
  for (const char c : word) {
    if (!skip(c)) return fail("expected a value");
  }
  return true;
}

void Checker::skip_space() {
  while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++at_;
}

bool Checker::skip(char expected) {
  if (peek() != expected) return false;
  ++at_;
  return true;
}

bool Checker::fail(const char* what) {
  error = {at_, at_end() ? "the text ends too soon" : what};
  return false;
}

bool Checker::beyond(const char* limit) {
  error = {at_, limit, true};
  return false;
}

struct Utf8Lead {
  std::size_t length = 0;
  unsigned char second_low = 0x80;
  unsigned char second_high = 0xBF;
};

/// The rows of RFC 3629, section 4. The limits of the second byte are what keeps out overlong
/// forms, surrogates and numbers beyond U+10FFFF; the bytes after it are always 80 to BF.
Utf8Lead read_lead(unsigned char byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xC2) return {0};
  if (byte < 0xE0) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0};
}

}  // namespace

Utf8Sequence scan_utf8(std::string_view text) {
  if (text.empty()) return {};
  const Utf8Lead lead = read_lead(static_cast<unsigned char>(text[0]));
  if (lead.length == 0) return {};
  const std::size_t end = std::min(lead.length, text.size());
  std::size_t at = 1;
  for (; at < end; ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const unsigned char low = at == 1 ? lead.second_low : 0x80;
    const unsigned char high = at == 1 ? lead.second_high : 0xBF;
    if (byte < low || byte > high) break;
  }
  return {at, at == lead.length};
}

std::optional<CheckedJson> check_json(std::string_view text, JsonError* error) {
  CheckedJson checked;
  if (!check_json(text, checked, error)) return std::nullopt;
  return checked;
}

bool check_json(std::string_view text, CheckedJson& checked, JsonError* error) {
  checked.kind = JsonKind::null;
  checked.members.clear();
  Checker checker(text, checked);
  if (checker.run()) return true;
  checked.members.clear();
  if (error != nullptr) *error = checker.error;
  return false;
}

bool check_member_json(std::string_view text, JsonError* error) {
  CheckedJson nothing;  // listed is only what is not inside of another value
  Checker checker(text, nothing, 1);
  if (checker.run()) return true;
  if (error != nullptr) *error = checker.error;
  return false;
}

}  // namespace clusterd
