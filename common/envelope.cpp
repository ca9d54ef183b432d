#include "common/envelope.h"

#include "common/envelope_line.h"
#include "common/json_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <utility>

namespace clusterd {
namespace {

using Kind = Recipient::Kind;

constexpr std::array<std::pair<std::string_view, Kind>, 4> kNames{
    {{"all", Kind::all}, {"app", Kind::app}, {"agent", Kind::agent}, {"random", Kind::random}}};

/// What of an envelope is not its content: found in one walk over its members, since the master
/// does this for each message.
struct Members {
  const JsonMember* action = nullptr;
  const JsonMember* to = nullptr;
  const JsonMember* pid = nullptr;
  const JsonMember* slot = nullptr;
  const JsonMember* request = nullptr;
  const JsonMember* reply = nullptr;
  const JsonMember* sender = nullptr;
  const JsonMember* data = nullptr;
  const JsonMember* cmd = nullptr;
  const JsonMember* act = nullptr;
  /// One of these, or of what makes a line the master's own, is there twice or in other letters.
  /// Receivers would read it in different ways, and one of these might be what the sender may not
  /// say.
  bool ambiguous = false;
};

Members members_of(const CheckedJson& json) {
  Members found;
  constexpr std::pair<std::string_view, const JsonMember * Members::*> kMembers[] = {
      {"action", &Members::action},    {"to", &Members::to},
      {"receiverPid", &Members::pid},  {"receiverSlot", &Members::slot},
      {"request", &Members::request},  {"reply", &Members::reply},
      {"senderPid", &Members::sender}, {"data", &Members::data},
      {"cmd", &Members::cmd},          {"act", &Members::act}};
  std::string decoded;
  for (const JsonMember& member : json.members) {
    std::string_view key = member.key;
    const bool escapes = key.find('\\') != std::string_view::npos;
    if (escapes) key = decoded = decode_json_string('"' + std::string(key) + '"');
    for (const auto& [name, place] : kMembers) {
      if (key != name) continue;
      if (escapes || found.*place != nullptr) found.ambiguous = true;
      if (found.*place == nullptr) found.*place = &member;
    }
  }
  return found;
}

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, number);
  if (status != std::errc() || stop != end) return std::nullopt;
  return number;
}

std::optional<std::int64_t> integer(const JsonMember* member) {
  if (member == nullptr || member->kind != JsonKind::number) return std::nullopt;
  return integer(member->value);
}

/// Egg says it as a text.
std::optional<std::int64_t> receiver_pid(const JsonMember* member) {
  if (member == nullptr || member->kind != JsonKind::string) return integer(member);
  return integer(decode_json_string(member->value));
}

Recipient named(std::string_view name) {
  for (const auto& [text, kind] : kNames) {
    if (name == text) return {kind, 0};
  }
  return {Kind::elsewhere, 0};
}

Recipient read_recipient(const Members& members) {
  if (const auto pid = receiver_pid(members.pid)) return {Kind::pid, *pid};
  if (const auto slot = integer(members.slot)) return {Kind::slot, *slot};
  if (members.to == nullptr || members.to->kind == JsonKind::null) return {};
  if (members.to->kind != JsonKind::string) return {Kind::elsewhere, 0};
  const std::string_view quoted = members.to->value;
  const bool escapes = quoted.find('\\') != std::string_view::npos;
  return escapes ? named(decode_json_string(quoted)) : named(quoted.substr(1, quoted.size() - 2));
}

std::optional<Routing> routing_of(const Members& members) {
  if (members.action == nullptr || members.action->kind != JsonKind::string) return std::nullopt;
  return Routing{members.ambiguous ? Recipient{Kind::elsewhere, 0} : read_recipient(members),
                 integer(members.request).value_or(0), integer(members.reply).value_or(0),
                 integer(members.sender).value_or(0)};
}

}  // namespace

std::optional<Envelope> open_envelope(const CheckedJson& json) {
  const Members members = members_of(json);
  const auto routing = routing_of(members);
  if (!routing) return std::nullopt;
  Envelope envelope;
  envelope.action = decode_json_string(members.action->value);
  envelope.to = routing->to;
  if (members.data != nullptr) envelope.data = members.data->value;
  envelope.sender_pid = routing->sender_pid;
  envelope.request = routing->request;
  envelope.reply = routing->reply;
  return envelope;
}

std::optional<Routing> read_routing(const CheckedJson& json) {
  return routing_of(members_of(json));
}

void append_line(std::string& lines, const EnvelopeView& envelope) {
  const auto number = [&](std::string_view key, std::int64_t value) {
    char digits[24];
    const char* end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
    lines.append(key).append(digits, static_cast<std::size_t>(end - digits));
  };
  lines += R"({"action":)";
  append_json_string(lines, envelope.action);
  if (envelope.to.kind == Kind::pid) {
    number(R"(,"receiverPid":)", envelope.to.number);
  } else if (envelope.to.kind == Kind::slot) {
    number(R"(,"receiverSlot":)", envelope.to.number);
  } else {
    for (const auto& [text, kind] : kNames) {
      if (envelope.to.kind == kind) lines.append(R"(,"to":")").append(text).append("\"");
    }
  }
  if (envelope.sender_pid != 0) number(R"(,"senderPid":)", envelope.sender_pid);
  if (envelope.request != 0) number(R"(,"request":)", envelope.request);
  if (envelope.reply != 0) number(R"(,"reply":)", envelope.reply);
  lines.append(R"(,"data":)").append(envelope.data).append("}\n");
}

std::string seal_envelope(const Envelope& envelope) {
  std::string line;
  append_line(line, {envelope.action, envelope.to, envelope.data, envelope.sender_pid,
                     envelope.request, envelope.reply});
  return line;
}

std::optional<std::string> on_one_line(std::string_view json, JsonError* error) {
  if (!check_member_json(json, error)) return std::nullopt;
  std::string line(json);
  const auto breaks = [](char c) { return c == '\n' || c == '\r'; };
  std::replace_if(line.begin(), line.end(), breaks, ' ');
  return line;
}

}  // namespace clusterd
