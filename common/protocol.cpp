#include "common/protocol.h"

#include "common/json.h"
#include "common/protocol_line.h"

#include <limits>

namespace clusterd::protocol {
namespace {

/// The act of a checked line that is ours; nothing in one that is not.
Result<std::optional<std::string>> act_of(const CheckedJson& json) {
  if (json.string("cmd") != kCommand) return std::optional<std::string>();
  auto act = json.string("act");
  if (!act) return make_error("a CLUSTERD line without \"act\"");
  return act;
}

Suicide suicide(const CheckedJson& json) { return {reason_of(json.string("reason").value_or(""))}; }

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

/// Of what became of this child's messages.
Result<FromMaster> notice(std::string_view act, const CheckedJson& json) {
  std::string_view lacking;
  auto found = read_notice(act, json, lacking);
  if (!found) return lacks(act, lacking);
  return std::visit([](auto& one) { return FromMaster{std::move(one)}; }, *found);
}

template <typename Side, typename Message>
Result<Side> either(Result<Message> message) {
  if (!message) return message.error();
  return Side{std::move(*message)};
}

Result<FromChild> heard(const CheckedJson& json) {
  const auto count = json.integer("count");
  if (!count || *count < 0) return lacks("heard", "count");
  return FromChild{Heard{*count}};
}

/// Of what not every child says.
Result<FromChild> from_some(std::string_view act, const CheckedJson& json) {
  if (act == "heard") return heard(json);
  if (act == "notices") {
    return FromChild{Notices{json.boolean("tells_heard").value_or(false)}};
  }
  if (act == "handles") return either<FromChild>(decode_handles(json));
  if (act == "ran") return either<FromChild>(decode_ran(json));
  if (act == "log-written") return FromChild{read_log_written(json)};
  if (act == "failed") return FromChild{Failed{reason_of(json.string("what").value_or(""))}};
  return FromChild{Unknown{}};
}

/// Of what only the agent, or who handles a schedule, is told.
Result<FromMaster> for_some(std::string_view act, const CheckedJson& json) {
  if (act == "run") return either<FromMaster>(decode_run_now(json));
  if (act == "write-log") {
    auto order = read_write_log(json);
    if (!order) return lacks(act, "path");
    return FromMaster{std::move(*order)};
  }
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

Error no_json(const JsonError& error) {
  return make_error("a line that is no JSON: " + std::string(error.what) + " at byte " +
                    std::to_string(error.offset));
}

bool is_message(const CheckedJson& json) {
  const JsonMember* action = json.find("action");
  if (action == nullptr || action->kind != JsonKind::string) return false;
  return json.find("cmd") == nullptr || json.string("cmd") != kCommand;
}

Result<FromChild> decode_from_child(std::string_view line) {
  JsonError wrong;
  const auto json = check_json(line, &wrong);
  if (!json) return no_json(wrong);
  return decode_from_child(*json);
}

Result<FromChild> decode_from_child(const CheckedJson& json) {
  const auto ours = act_of(json);
  if (!ours) return ours.error();
  if (!*ours) return without_command(json);
  const std::string& act = **ours;
  if (act == "hello") {
    const auto version = json.integer("version");
    if (!version) return lacks(act, "version");
    return FromChild{Hello{*version, json.boolean("heartbeat").value_or(false),
                           json.boolean("tells_heard").value_or(false)}};
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
  return from_some(act, json);
}

Result<FromMaster> decode_from_master(std::string_view line) {
  JsonError wrong;
  static thread_local CheckedJson json;  // for its memory
  if (!check_json(line, json, &wrong)) return no_json(wrong);
  const auto ours = act_of(json);
  if (!ours) return ours.error();
  if (!*ours) return not_ours<FromMaster>(json);
  const std::string& act = **ours;
  if (act == "welcome") {
    const auto version = json.integer("version");
    const auto fds = json.integer("fds");
    if (!version) return lacks(act, "version");
    if (!fds) return lacks(act, "fds");
    return FromMaster{Welcome{*version, *fds, json.integer("drain_timeout_ms").value_or(0),
                              json.integer("max_connections").value_or(0),
                              json.boolean("log").value_or(false)}};
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
  if (is_notice(act)) return notice(act, json);
  if (act == "ping") return FromMaster{Ping{}};
  return for_some(act, json);
}

}  // namespace clusterd::protocol
