#include "common/json.h"

#include "common/escaped.h"
#include "common/json_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

namespace clusterd {
namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
    return;
  }
  if (code < 0x800) {
    put(0xC0 | (code >> 6));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

/// The UTF-16 unit if `text` begins with an escape such as \u00e9.
std::optional<std::uint32_t> utf16_unit(std::string_view text) {
  constexpr std::size_t kLength = 6;
  if (text.size() < kLength || !text.starts_with("\\u")) return std::nullopt;
  std::uint32_t unit = 0;
  const char* end = text.data() + kLength;
  const auto [stop, status] = std::from_chars(text.data() + 2, end, unit, 16);
  if (status != std::errc() || stop != end) return std::nullopt;
  return unit;
}

/// Decodes the \u escape that `text` begins with, both halves of a pair at once, and returns how
/// many bytes that took.
std::size_t append_unicode_escape(std::string& out, std::string_view text) {
  const auto unit = utf16_unit(text);
  if (!unit || *unit < 0xD800 || *unit > 0xDFFF) {
    append_utf8(out, unit.value_or(kReplacement));
    return std::min<std::size_t>(6, text.size());
  }
  const auto low = utf16_unit(text.substr(6));
  if (*unit < 0xDC00 && low && *low >= 0xDC00 && *low <= 0xDFFF) {
    append_utf8(out, 0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00));
    return 12;
  }
  append_utf8(out, kReplacement);
  return 6;
}

/// Decodes the escape that `text` begins with, and returns how many bytes that took.
std::size_t append_escape(std::string& out, std::string_view text) {
  if (text.size() < 2) return text.size();
  if (text[1] == 'u') return append_unicode_escape(out, text);
  constexpr std::string_view kLetters = "bfnrt";
  constexpr std::string_view kMeanings = "\b\f\n\r\t";
  const std::size_t letter = kLetters.find(text[1]);
  out += letter == std::string_view::npos ? text[1] : kMeanings[letter];
  return 2;
}

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kSpecial = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetters = "\"\\bfnrt";
  const std::size_t special = kSpecial.find(c);
  out += '\\';
  if (special != std::string_view::npos) {
    out += kLetters[special];
    return;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += "u00";
  out += kHex[byte >> 4];
  out += kHex[byte & 0xF];
}

/// Stands for itself, on a terminal too.
bool is_plain(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  // Most texts are nothing but this.
  const auto* const special = std::find_if_not(text.begin(), text.end(), is_plain);
  const auto plain = static_cast<std::size_t>(special - text.begin());
  out.append(text, 0, plain);
  text.remove_prefix(plain);
  while (!text.empty()) {
    const Utf8Sequence sequence = scan_utf8(text);
    const std::size_t length = sequence.whole ? sequence.length : 1;
    if (!sequence.whole) {
      append_utf8(out, kReplacement);
    } else if (text[0] == '"' || text[0] == '\\') {
      append_escaped(out, text[0]);
    } else if (const std::size_t control = control_length(text); control > 0) {
      // More than JSON asks for: these lines are printed on terminals.
      append_escaped(out, text[control - 1]);
    } else {
      out.append(text, 0, length);
    }
    text.remove_prefix(length);
  }
  out += '"';
}

template <typename Number>
void append_number(std::string& out, Number number) {
  char buffer[32];  // the longest are -9223372036854775808 and -2.2250738585072014e-308
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) { append_quoted(out, text); }

const JsonMember* CheckedJson::find(std::string_view key) const {
  // A backslash in a listed key always belongs to an escape, so it stands for something else.
  if (key.find('\\') != std::string_view::npos) return nullptr;
  const auto found = std::find_if(members.begin(), members.end(),
                                  [key](const JsonMember& member) { return member.key == key; });
  return found == members.end() ? nullptr : &*found;
}

std::optional<std::string> CheckedJson::string(std::string_view key) const {
  const JsonMember* member = find(key);
  if (member == nullptr || member->kind != JsonKind::string) return std::nullopt;
  return decode_json_string(member->value);
}

std::optional<std::int64_t> CheckedJson::integer(std::string_view key) const {
  const JsonMember* member = find(key);
  if (member == nullptr || member->kind != JsonKind::number) return std::nullopt;
  std::int64_t number = 0;
  const char* end = member->value.data() + member->value.size();
  const auto [stop, status] = std::from_chars(member->value.data(), end, number);
  if (status != std::errc() || stop != end) return std::nullopt;
  return number;
}

std::optional<bool> CheckedJson::boolean(std::string_view key) const {
  const JsonMember* member = find(key);
  if (member == nullptr || member->kind != JsonKind::boolean) return std::nullopt;
  return member->value == "true";
}

std::string decode_json_string(std::string_view quoted) {
  std::string out;
  if (quoted.size() < 2) return out;
  std::string_view text = quoted.substr(1, quoted.size() - 2);
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('\\'), text.size());
    out.append(text, 0, plain);
    text.remove_prefix(plain);
    if (!text.empty()) text.remove_prefix(append_escape(out, text));
  }
  return out;
}

void JsonWriter::separate() {
  if (needs_comma_) text_ += ',';
  needs_comma_ = true;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  text_ += '{';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  text_ += '}';
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  separate();
  text_ += '[';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  text_ += ']';
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  append_quoted(text_, name);
  text_ += ':';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  append_quoted(text_, text);
  return *this;
}

JsonWriter& JsonWriter::value(std::int64_t number) {
  separate();
  append_number(text_, number);
  return *this;
}

JsonWriter& JsonWriter::value(std::uint64_t number) {
  separate();
  append_number(text_, number);
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  if (!std::isfinite(number)) return null();
  separate();
  append_number(text_, number);
  return *this;
}

JsonWriter& JsonWriter::value(bool truth) { return raw(truth ? "true" : "false"); }

JsonWriter& JsonWriter::null() { return raw("null"); }

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  text_ += json;
  return *this;
}

}  // namespace clusterd
