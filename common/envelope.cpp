#include "common/envelope.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace clusterd {
namespace {

using Kind = Recipient::Kind;

constexpr std::array<std::pair<std::string_view, Kind>, 4> kNames{
    {{"all", Kind::all}, {"app", Kind::app}, {"agent", Kind::agent}, {"random", Kind::random}}};

/// Egg says it as a text.
std::optional<std::int64_t> receiver_pid(const CheckedJson& json) {
  if (const auto pid = json.integer("receiverPid")) return pid;
  const auto text = json.string("receiverPid");
  if (!text) return std::nullopt;
  std::int64_t pid = 0;
  const char* end = text->data() + text->size();
  const auto [stop, status] = std::from_chars(text->data(), end, pid);
  if (status != std::errc() || stop != end) return std::nullopt;
  return pid;
}

Recipient read_recipient(const CheckedJson& json) {
  if (const auto pid = receiver_pid(json)) return {Kind::pid, *pid};
  if (const auto slot = json.integer("receiverSlot")) return {Kind::slot, *slot};
  const JsonMember* to = json.find("to");
  if (to == nullptr || to->kind == JsonKind::null) return {};
  const auto name = json.string("to");
  for (const auto& [text, kind] : kNames) {
    if (name == text) return {kind, 0};
  }
  return {Kind::elsewhere, 0};
}

}  // namespace

std::optional<Envelope> open_envelope(const CheckedJson& json) {
  auto action = json.string("action");
  if (!action) return std::nullopt;
  Envelope envelope;
  envelope.action = std::move(*action);
  envelope.to = read_recipient(json);
  if (const JsonMember* data = json.find("data")) envelope.data = data->value;
  envelope.sender_pid = json.integer("senderPid").value_or(0);
  return envelope;
}

std::string seal_envelope(const Envelope& envelope) {
  JsonWriter json;
  json.begin_object().member("action", envelope.action);
  if (envelope.to.kind == Kind::pid) {
    json.member("receiverPid", envelope.to.number);
  } else if (envelope.to.kind == Kind::slot) {
    json.member("receiverSlot", envelope.to.number);
  } else {
    for (const auto& [text, kind] : kNames) {
      if (envelope.to.kind == kind) json.member("to", text);
    }
  }
  if (envelope.sender_pid != 0) json.member("senderPid", envelope.sender_pid);
  json.key("data").raw(envelope.data).end_object();
  return json.take() + "\n";
}

std::optional<std::string> on_one_line(std::string_view json, JsonError* error) {
  if (!check_json(json, error)) return std::nullopt;
  std::string line(json);
  const auto breaks = [](char c) { return c == '\n' || c == '\r'; };
  std::replace_if(line.begin(), line.end(), breaks, ' ');
  return line;
}

}  // namespace clusterd
