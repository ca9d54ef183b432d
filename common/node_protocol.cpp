#include "common/node_protocol.h"

#include "common/json.h"

#include <algorithm>

namespace clusterd::node {
namespace {

constexpr std::string_view kCluster = "NODE_CLUSTER";
constexpr std::size_t kLongestAddress = 4096;
constexpr std::size_t kLongestType = 64;

/// Node looks at the last member of a name, and at names as they are meant, not as written.
const JsonMember* command_of(const CheckedJson& json) {
  const auto is_cmd = [](const JsonMember& member) {
    if (member.key.find('\\') == std::string_view::npos) return member.key == "cmd";
    return decode_json_string('"' + std::string(member.key) + '"') == "cmd";
  };
  const auto found = std::find_if(json.members.rbegin(), json.members.rend(), is_cmd);
  return found == json.members.rend() ? nullptr : &*found;
}

/// Empty if it is a program's.
std::string internal_command(const CheckedJson& json) {
  constexpr std::string_view kPrefix = "NODE_";
  const JsonMember* member = command_of(json);
  if (member == nullptr || member->kind != JsonKind::string) return {};
  std::string command = decode_json_string(member->value);
  const bool is_nodes = command.starts_with(kPrefix) && command.size() > kPrefix.size();
  return is_nodes ? command : std::string();
}

Error lacks(std::string_view act, std::string_view member) {
  return make_error(std::string(act) + " without a valid \"" + std::string(member) + "\"");
}

std::string raw(const CheckedJson& json, std::string_view name) {
  const JsonMember* member = json.find(name);
  return member == nullptr ? "null" : std::string(member->value);
}

std::optional<Endpoint::Kind> kind_of(const CheckedJson& json) {
  using Kind = Endpoint::Kind;
  if (const auto name = json.string("addressType")) {
    if (*name == "udp4") return Kind::udp4;
    if (*name == "udp6") return Kind::udp6;
    return std::nullopt;
  }
  const auto number = json.integer("addressType");
  if (number == 4) return Kind::tcp4;
  if (number == 6) return Kind::tcp6;
  if (number == -1) return Kind::unix_socket;
  return std::nullopt;
}

/// A path is absolute but for a name without a file, before which Node puts its folder. That begins
/// with a NUL.
std::string path_of(const std::string& address) {
  const std::size_t nul = address.find('\0');
  return nul == std::string::npos ? address : address.substr(nul);
}

Result<Endpoint> endpoint_of(const CheckedJson& json, std::string_view act) {
  constexpr std::int64_t kV6Only = 1;
  Endpoint at;
  at.index = json.integer("index").value_or(0);
  at.backlog = std::max<std::int64_t>(0, json.integer("backlog").value_or(0));
  at.fd = json.integer("fd").value_or(-1);
  if (at.fd >= 0) {
    at.kind = Endpoint::Kind::inherited;
    return at;
  }
  at.fd = -1;
  const auto kind = kind_of(json);
  if (!kind) return lacks(act, "addressType");
  at.kind = *kind;
  at.address = json.string("address").value_or("");
  if (at.address.size() > kLongestAddress) return lacks(act, "address");
  if (at.kind == Endpoint::Kind::unix_socket) {
    at.address = path_of(at.address);
    if (at.address.empty()) return lacks(act, "address");
    at.readable_all = json.boolean("readableAll").value_or(false);
    at.writable_all = json.boolean("writableAll").value_or(false);
    return at;
  }
  const auto port = json.integer("port").value_or(0);
  if (port < 0 || port > 65535) return lacks(act, "port");
  at.port = static_cast<std::uint16_t>(port);
  const std::int64_t flags = json.integer("flags").value_or(0);
  at.v6only = (flags & kV6Only) != 0;
  return at;
}

Result<FromWorker> act_of(const CheckedJson& json) {
  const auto seq = json.integer("seq");
  const auto act = json.string("act");
  if (!act) {
    const auto ack = json.integer("ack");
    const auto accepted = json.boolean("accepted");
    if (!ack || !accepted) return FromWorker{Unknown{}};
    return FromWorker{Answer{*ack, *accepted}};
  }
  if (*act == "online") return FromWorker{Online{}};
  if (*act == "queryServer" || *act == "listening") {
    auto at = endpoint_of(json, *act);
    if (!at) return at.error();
    if (*act == "listening") return FromWorker{Listening{std::move(*at)}};
    if (!seq) return lacks(*act, "seq");
    return FromWorker{QueryServer{*seq, std::move(*at), raw(json, "data")}};
  }
  if (*act == "close") {
    auto key = json.string("key");
    if (!key) return lacks(*act, "key");
    return FromWorker{Close{std::move(*key)}};
  }
  if (*act == "exitedAfterDisconnect") {
    if (!seq) return lacks(*act, "seq");
    return FromWorker{ExitedAfterDisconnect{*seq}};
  }
  return FromWorker{Unknown{}};
}

FromWorker user(const CheckedJson& json, std::string_view line) {
  if (json.kind == JsonKind::string) {
    const std::size_t begin = line.find('"');
    const std::size_t end = line.rfind('"');
    return User{line.substr(begin, end - begin + 1) == R"("ready")"};
  }
  const auto action = json.string("action");
  // The second is what Egg says where each worker has a socket of its own.
  return User{action == "ready" || action == "reuse-port-listening"};
}

}  // namespace

std::string Endpoint::text() const {
  const std::string number = ":" + std::to_string(port);
  switch (kind) {
    case Kind::tcp4:
      return (address.empty() ? "*" : address) + number;
    case Kind::tcp6:
      return "[" + (address.empty() ? "::" : address) + "]" + number;
    case Kind::udp4:
      return "udp://" + (address.empty() ? "*" : address) + number;
    case Kind::udp6:
      return "udp://[" + (address.empty() ? "::" : address) + "]" + number;
    case Kind::unix_socket:
      return "unix:" + (address[0] == '\0' ? "@" + address.substr(1) : address);
    case Kind::inherited:
      return "descriptor " + std::to_string(fd);
  }
  return "?";
}

Result<FromWorker> decode_from_worker(std::string_view line) {
  if (line.starts_with('\x02')) {
    return make_error("a line as Bun writes them, which is no worker of Node's cluster");
  }
  JsonError wrong;
  const auto json = check_json(line, &wrong);
  if (!json && wrong.is_limit) {
    // Node writes its own member first. Without an answer it would send nothing more for good.
    constexpr std::string_view kHandle = R"({"cmd":"NODE_HANDLE",)";
    if (line.starts_with(kHandle)) return FromWorker{Handle{"descriptor"}};
    return FromWorker{UserTooLarge{}};
  }
  if (!json && line.starts_with('\0')) {
    return make_error("binary messages (serialization: 'advanced'): only JSON is understood");
  }
  if (!json) {
    return make_error("a line that is no JSON: " + std::string(wrong.what) + " at byte " +
                      std::to_string(wrong.offset));
  }
  const std::string command = internal_command(*json);
  if (command.empty()) return user(*json, line);
  if (command == kCluster) return act_of(*json);
  if (command == "NODE_HANDLE_ACK") return FromWorker{HandleAck{}};
  if (command == "NODE_HANDLE_NACK") return FromWorker{HandleNack{}};
  if (command == "NODE_HANDLE") {
    return FromWorker{
        Handle{json->string("type").value_or("").substr(0, kLongestType), raw(*json, "msg")}};
  }
  if (command == "NODE_SOCKET_GET_COUNT") return FromWorker{CountSockets{raw(*json, "key")}};
  if (command == "NODE_SOCKET_NOTIFY_CLOSE") return FromWorker{NotifyClose{raw(*json, "key")}};
  return FromWorker{Unknown{}};
}

bool is_internal(std::string_view line) {
  const auto json = check_json(line);
  return json && !internal_command(*json).empty();
}

}  // namespace clusterd::node
