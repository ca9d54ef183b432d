#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace clusterd {

/// A strict JSON check (RFC 8259) that leaves the text as it is. Every byte is checked: grammar,
/// valid UTF-8, depth. Lone-surrogate escapes ("\ud83d") are allowed, since Node sends them.
/// Nothing is decoded but what is asked for, so that a payload can be passed on as the bytes it
/// came in.

inline constexpr int kMaxJsonDepth = 64;
/// Of the top-level object, which are listed. The inner objects are only bounded by the text.
inline constexpr std::size_t kMaxJsonMembers = 1024;

enum class JsonKind : std::uint8_t { null, boolean, number, string, array, object };

/// One member of the top-level object, as views into the checked text.
struct JsonMember {
  std::string_view key;    ///< as written, without the quotes, escapes not decoded
  std::string_view value;  ///< as written, from its first to its last byte
  JsonKind kind = JsonKind::null;
};

struct JsonError {
  std::size_t offset = 0;  ///< of the byte that is wrong; the text's size where it ended too soon
  const char* what = "";
  bool is_limit = false;  ///< no fault of its own up to here: it is only more than is checked
};

/// A text that passed the check.
struct CheckedJson {
  JsonKind kind = JsonKind::null;   ///< of the whole value
  std::vector<JsonMember> members;  ///< in order of the text; empty unless `kind` is object

  /// The first member whose key is exactly `key` (an escaped key never matches), or nullptr.
  [[nodiscard]] const JsonMember* find(std::string_view key) const;
  /// The decoded string member `key`, or nothing if it is missing or no string.
  [[nodiscard]] std::optional<std::string> string(std::string_view key) const;
  /// The integer member `key`, or nothing if it is missing, no integer, or out of range.
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key) const;
  [[nodiscard]] std::optional<bool> boolean(std::string_view key) const;
};

/// Checks one JSON value with optional white space around it. On failure `error` is filled in.
/// The result points into `text`, which must outlive it.
[[nodiscard]] std::optional<CheckedJson> check_json(std::string_view text,
                                                    JsonError* error = nullptr);

/// The same into `checked`, whose memory is used again. Its content is nothing if it fails.
[[nodiscard]] bool check_json(std::string_view text, CheckedJson& checked,
                              JsonError* error = nullptr);

/// Checks a value that is to be a member's: it may be nested as deeply as that leaves, and what it
/// is made of is not listed.
[[nodiscard]] bool check_member_json(std::string_view text, JsonError* error = nullptr);

/// Decodes a string value as written (with its quotes). A lone surrogate becomes U+FFFD. The text
/// must have passed the check; any other gives some string, but is safe.
[[nodiscard]] std::string decode_json_string(std::string_view quoted);

/// How a text begins: its first `length` bytes fit one UTF-8 sequence, and are a `whole` one or
/// not.
struct Utf8Sequence {
  std::size_t length = 0;
  bool whole = false;
};
[[nodiscard]] Utf8Sequence scan_utf8(std::string_view text);

/// Builds one flat or nested JSON object by appending; the caller gives members in order.
class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  /// Text that is not UTF-8 has each wrong byte replaced by U+FFFD.
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(std::int64_t number);
  JsonWriter& value(std::uint64_t number);
  JsonWriter& value(std::int32_t number) { return value(static_cast<std::int64_t>(number)); }
  JsonWriter& value(std::uint32_t number) { return value(static_cast<std::uint64_t>(number)); }
  JsonWriter& value(double number);  ///< shortest form that reads back; NaN and infinities as null
  JsonWriter& value(bool truth);
  JsonWriter& null();
  /// A value that is JSON already.
  JsonWriter& raw(std::string_view json);

  /// key() and value() in one.
  template <typename T>
  JsonWriter& member(std::string_view name, const T& content) {
    return key(name).value(content);
  }

  [[nodiscard]] const std::string& text() const { return text_; }
  /// Hands the text out and starts anew.
  [[nodiscard]] std::string take() {
    needs_comma_ = false;
    return std::exchange(text_, {});
  }

 private:
  void separate();

  std::string text_;
  bool needs_comma_ = false;
};

}  // namespace clusterd
