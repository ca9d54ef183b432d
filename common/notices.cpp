#include "common/notices.h"

#include "common/protocol_line.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace clusterd::protocol {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

void put(JsonWriter& json, std::string_view member, const std::vector<std::int64_t>& numbers) {
  json.key(member).begin_array();
  for (const std::int64_t number : numbers) json.value(number);
  json.end_array();
}

/// The numbers of an array of integers; of any other value, none.
std::vector<std::int64_t> integers(const CheckedJson& json, std::string_view member) {
  const JsonMember* array = json.find(member);
  if (array == nullptr || array->kind != JsonKind::array) return {};
  std::vector<std::int64_t> found;
  std::string_view rest = array->value;
  while (rest.size() > 1) {
    rest.remove_prefix(1);  // the bracket, or a comma
    rest.remove_prefix(std::min(rest.find_first_not_of(kSpaces), rest.size()));
    std::int64_t number = 0;
    const auto [stop, status] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (status != std::errc()) return {};
    found.push_back(number);
    rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
    rest.remove_prefix(std::min(rest.find_first_not_of(kSpaces), rest.size()));
    if (rest.empty() || (rest[0] != ',' && rest[0] != ']')) return {};
  }
  return found;
}

}  // namespace

std::string encode(const Heard& message) {
  JsonWriter json = begin("heard");
  json.member("count", message.count);
  return end(json);
}

std::string encode(const Notices& message) {
  JsonWriter json = begin("notices");
  if (message.tells_heard) json.member("tells_heard", true);
  return end(json);
}

std::string encode(const Undelivered& message) {
  JsonWriter json = begin("undelivered");
  json.member("action", message.action).member("count", message.count);
  if (!message.requests.empty()) put(json, "requests", message.requests);
  return end(json);
}

std::string encode(const Gone& message) {
  JsonWriter json = begin("gone");
  put(json, "requests", message.requests);
  return end(json);
}

std::string encode(const Pressure& message) {
  JsonWriter json = begin("pressure");
  json.member("pid", message.pid).member("high", message.high);
  return end(json);
}

bool is_notice(std::string_view act) {
  return act == "undelivered" || act == "gone" || act == "pressure";
}

std::optional<Notice> read_notice(std::string_view act, const CheckedJson& json,
                                  std::string_view& lacking) {
  if (act == "gone") return Gone{integers(json, "requests")};
  const bool undelivered = act == "undelivered";
  lacking = undelivered ? "count" : "pid";
  const auto number = json.integer(lacking);
  if (!number) return std::nullopt;
  if (!undelivered) return Pressure{*number, json.boolean("high").value_or(false)};
  return Undelivered{json.string("action").value_or(""), *number, integers(json, "requests")};
}

}  // namespace clusterd::protocol
