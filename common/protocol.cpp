#include "common/protocol.h"

#include "common/json.h"

#include <limits>

namespace clusterd::protocol {
namespace {

constexpr const char* kCommand = "CLUSTERD";

/// A line that passed the check: ours, with its act, or somebody else's.
struct Opened {
  CheckedJson json;
  std::optional<std::string> act;
};

Result<Opened> open_line(std::string_view line) {
  JsonError wrong;
  auto json = check_json(line, &wrong);
  if (!json) {
    return make_error("a line that is no JSON: " + std::string(wrong.what) + " at byte " +
                      std::to_string(wrong.offset));
  }
  Opened opened{std::move(*json), std::nullopt};
  if (opened.json.string("cmd") != kCommand) return opened;
  opened.act = opened.json.string("act");
  if (!opened.act) return make_error("a CLUSTERD line without \"act\"");
  return opened;
}

/// The beginning of a text that is UTF-8, cut between two characters.
std::string cut(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  const auto goes_on = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; };
  while (most > 0 && goes_on(text[most])) --most;
  text.resize(most);
  return text;
}

Suicide suicide(const CheckedJson& json) {
  return {cut(json.string("reason").value_or(""), kLongestReason)};
}

/// A message between programs, if it is one.
template <typename Side>
Side not_ours(const CheckedJson& json) {
  if (auto envelope = open_envelope(json)) return std::move(*envelope);
  return Unknown{};
}

FromChild without_command(const CheckedJson& json) {
  auto message = not_ours<FromChild>(json);
  const bool says_nothing = std::holds_alternative<Unknown>(message) && json.find("cmd") == nullptr;
  if (says_nothing && json.string("act") == "suicide") return suicide(json);
  return message;
}

Error lacks(std::string_view act, std::string_view member) {
  return make_error("\"" + std::string(act) + "\" without a valid \"" + std::string(member) + "\"");
}

JsonWriter begin(std::string_view act) {
  JsonWriter json;
  json.begin_object().member("cmd", kCommand).member("act", act);
  return json;
}

std::string end(JsonWriter& json) {
  json.end_object();
  return json.take() + "\n";
}

/// Of what only the agent is told.
Result<FromMaster> for_agent(std::string_view act, const CheckedJson& json) {
  if (act != "serve-http" && act != "reported") return FromMaster{Unknown{}};
  const auto fds = json.integer("fds");
  if (!fds) return lacks(act, "fds");
  if (act == "serve-http") return FromMaster{ServeHttp{*fds}};
  const auto ack = json.integer("ack");
  if (!ack) return lacks(act, "ack");
  return FromMaster{Reported{*ack, *fds, json.boolean("ready").value_or(false),
                             json.string("reason").value_or("")}};
}

}  // namespace

Result<FromChild> decode_from_child(std::string_view line) {
  const auto opened = open_line(line);
  if (!opened) return opened.error();
  const CheckedJson& json = opened->json;
  if (!opened->act) return without_command(json);
  const std::string& act = *opened->act;
  if (act == "hello") {
    const auto version = json.integer("version");
    if (!version) return lacks(act, "version");
    return FromChild{Hello{*version, json.boolean("heartbeat").value_or(false)}};
  }
  if (act == "listen") {
    const auto seq = json.integer("seq");
    const auto listener = json.string("listener");
    if (!seq) return lacks(act, "seq");
    if (!listener) return lacks(act, "listener");
    return FromChild{Listen{*seq, *listener}};
  }
  if (act == "ready") return FromChild{Ready{}};
  if (act == "refuse") {
    const auto sequence = json.integer("sequence");
    if (!sequence || *sequence < 0 || *sequence > std::numeric_limits<std::uint32_t>::max()) {
      return lacks(act, "sequence");
    }
    return FromChild{Refuse{static_cast<std::uint32_t>(*sequence)}};
  }
  if (act == "suicide") return FromChild{suicide(json)};
  if (act == "report") {
    const auto seq = json.integer("seq");
    if (!seq) return lacks(act, "seq");
    return FromChild{Report{*seq, json.boolean("metrics").value_or(false)}};
  }
  return FromChild{Unknown{}};
}

Result<FromMaster> decode_from_master(std::string_view line) {
  const auto opened = open_line(line);
  if (!opened) return opened.error();
  const CheckedJson& json = opened->json;
  if (!opened->act) return not_ours<FromMaster>(json);
  const std::string& act = *opened->act;
  if (act == "welcome") {
    const auto version = json.integer("version");
    const auto fds = json.integer("fds");
    if (!version) return lacks(act, "version");
    if (!fds) return lacks(act, "fds");
    return FromMaster{Welcome{*version, *fds, json.integer("drain_timeout_ms").value_or(0),
                              json.integer("max_connections").value_or(0)}};
  }
  if (act == "listening") {
    const auto ack = json.integer("ack");
    const auto index = json.integer("index");
    if (!ack) return lacks(act, "ack");
    if (!index) return lacks(act, "index");
    return FromMaster{Listening{
        *ack, json.integer("fds").value_or(0), *index, json.string("address").value_or(""),
        json.string("error").value_or(""), json.boolean("datagram").value_or(false)}};
  }
  if (act == "revoked") return FromMaster{Revoked{}};
  if (act == "event") {
    auto event = json.string("event");
    if (!event) return lacks(act, "event");
    return FromMaster{Happened{std::move(*event)}};
  }
  if (act == "undelivered") {
    const auto count = json.integer("count");
    if (!count) return lacks(act, "count");
    return FromMaster{Undelivered{json.string("action").value_or(""), *count}};
  }
  if (act == "ping") return FromMaster{Ping{}};
  return for_agent(act, json);
}

std::string encode(const Hello& message) {
  JsonWriter json = begin("hello");
  json.member("version", message.version);
  if (message.heartbeat) json.member("heartbeat", true);
  return end(json);
}

std::string encode(const Listen& message) {
  JsonWriter json = begin("listen");
  json.member("seq", message.seq).member("listener", message.listener);
  return end(json);
}

std::string encode(const Ready&) {
  JsonWriter json = begin("ready");
  return end(json);
}

std::string encode(const Refuse& message) {
  JsonWriter json = begin("refuse");
  json.member("sequence", message.sequence);
  return end(json);
}

std::string encode(const Suicide& message) {
  JsonWriter json = begin("suicide");
  json.member("reason", cut(message.reason, kLongestReason));
  return end(json);
}

std::string encode(const Report& message) {
  JsonWriter json = begin("report");
  json.member("seq", message.seq).member("metrics", message.metrics);
  return end(json);
}

std::string encode(const Welcome& message) {
  JsonWriter json = begin("welcome");
  json.member("version", message.version)
      .member("fds", message.fds)
      .member("drain_timeout_ms", message.drain_timeout_ms)
      .member("max_connections", message.max_connections);
  return end(json);
}

std::string encode(const Listening& message) {
  JsonWriter json = begin("listening");
  json.member("ack", message.ack)
      .member("fds", message.fds)
      .member("index", message.index)
      .member("address", message.address)
      .member("error", message.error)
      .member("datagram", message.datagram);
  return end(json);
}

std::string encode(const Revoked&) {
  JsonWriter json = begin("revoked");
  return end(json);
}

std::string encode(const Happened& message) {
  JsonWriter json = begin("event");
  json.member("event", message.event);
  return end(json);
}

std::string encode(const Undelivered& message) {
  JsonWriter json = begin("undelivered");
  json.member("action", message.action).member("count", message.count);
  return end(json);
}

std::string encode(const Ping&) {
  JsonWriter json = begin("ping");
  return end(json);
}

std::string encode(const ServeHttp& message) {
  JsonWriter json = begin("serve-http");
  json.member("fds", message.fds);
  return end(json);
}

std::string encode(const Reported& message) {
  JsonWriter json = begin("reported");
  json.member("ack", message.ack)
      .member("fds", message.fds)
      .member("ready", message.ready)
      .member("reason", message.reason);
  return end(json);
}

}  // namespace clusterd::protocol
