// Any text: it is judged as Boost.JSON judges it, and what is found in it is what is there. Any
// bytes as a string value: what the writer writes is JSON that says the same.
#include "common/json.h"
#include "tests/fuzz/fuzz.h"

#include <boost/json/parse.hpp>

#include <string>

namespace clusterd::fuzz {
namespace {

constexpr std::string_view kTooManyMembers = "too many members";

/// The text, with ordinary characters for the surrogates that it escapes.
std::string without_surrogates(std::string text) {
  for (std::size_t at = 0; (at = text.find("\\u", at)) != std::string::npos; at += 2) {
    if (at + 2 < text.size() && (text[at + 2] == 'd' || text[at + 2] == 'D')) text[at + 2] = '0';
  }
  return text;
}

boost::json::value parse(std::string_view text, boost::system::error_code& code) {
  boost::json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  return boost::json::parse({text.data(), text.size()}, code, {}, options);
}

/// Boost.JSON refuses lone surrogates, which we allow because Node sends them, and gives up at an
/// exponent that its int cannot hold, which the grammar allows.
void must_agree(bool ours, std::string_view text, boost::system::error_code code) {
  if (code) (void)parse(without_surrogates(std::string(text)), code);
  if (code == boost::json::error::exponent_overflow) return;
  must(ours == !code, "Boost.JSON judges alike");
}

/// Of equal keys Boost.JSON keeps the last, and we find the first; an escaped key we never find.
void must_have_equal_members(const CheckedJson& ours, const boost::json::object& theirs) {
  if (ours.members.size() != theirs.size()) return;
  for (const auto& [key, value] : theirs) {
    if (ours.find(key) == nullptr) continue;
    if (value.is_string()) {
      must(ours.string(key) == std::string(value.as_string()), "a string is equal");
    }
    if (value.is_int64()) must(ours.integer(key) == value.as_int64(), "an integer is equal");
    if (value.is_bool()) must(ours.boolean(key) == value.as_bool(), "a boolean is equal");
  }
}

void must_be_in(std::string_view text, std::string_view part) {
  must(part.data() >= text.data() && part.data() + part.size() <= text.data() + text.size(),
       "a view points into the text");
}

/// Each value can be cut out and passed on: it is JSON of its kind.
void must_have_whole_members(const CheckedJson& json, std::string_view text) {
  must(json.kind == JsonKind::object || json.members.empty(), "only an object has members");
  for (const JsonMember& member : json.members) {
    must_be_in(text, member.key);
    must_be_in(text, member.value);
    JsonError error;
    const auto value = check_json(member.value, &error);
    if (!value && error.what == kTooManyMembers) continue;  // counted at the top level only
    must(value && value->kind == member.kind, "a member's value is JSON of its kind");
  }
}

std::string_view trimmed(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  return text.substr(start, text.find_last_not_of(" \t\r\n") + 1 - start);
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Sequence sequence = scan_utf8(text);
    if (!sequence.whole) return false;
    text.remove_prefix(sequence.length);
  }
  return true;
}

void write_and_read(std::string_view bytes) {
  JsonWriter writer;
  writer.begin_object().member("text", bytes).end_object();
  const std::string written = writer.take();
  const auto json = check_json(written);
  must(json.has_value() && json->members.size() == 1, "what is written is JSON");
  const auto read = json->string("text");
  must(read && is_utf8(*read), "what is read back is UTF-8");
  must(!is_utf8(bytes) || read == bytes, "what was UTF-8 is read back as it was");
}

}  // namespace

void try_input(std::string_view input) {
  (void)decode_json_string(input);
  write_and_read(input);

  JsonError error;
  const auto ours = check_json(input, &error);
  if (!ours) must(error.offset <= input.size() && error.what[0] != '\0', "an error says where");
  if (!ours && error.what == kTooManyMembers) return;
  boost::system::error_code code;
  const auto theirs = parse(input, code);
  must_agree(ours.has_value(), input, code);
  if (!ours) return;
  must_have_whole_members(*ours, input);
  if (code) return;
  if (theirs.is_object()) must_have_equal_members(*ours, theirs.as_object());
  if (theirs.is_string()) {
    must(decode_json_string(trimmed(input)) == std::string(theirs.as_string()), "a text is equal");
  }
}

}  // namespace clusterd::fuzz
