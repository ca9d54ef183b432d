#include "common/node_reply.h"

#include "common/json.h"

namespace clusterd::node {
namespace {

std::string wrapped(std::string_view type, std::string_view msg) {
  std::string line = R"({"cmd":"NODE_HANDLE","type":")";
  line.append(type).append(R"(","msg":)").append(msg).append("}\n");
  return line;
}

std::string body(const Reply& reply) {
  JsonWriter json;
  json.begin_object()
      .member("cmd", "NODE_CLUSTER")
      .member("errno", -reply.error)
      .member("key", reply.key)
      .member("ack", reply.ack)
      .key("data")
      .raw(reply.data);
  if (reply.name) {
    json.key("sockname")
        .begin_object()
        .member("address", reply.name->address)
        .member("family", reply.name->is_v6 ? "IPv6" : "IPv4")
        .member("port", std::uint32_t{reply.name->port})
        .end_object();
  }
  return json.member("seq", reply.seq).end_object().take();
}

std::string about_sockets(std::string_view command, std::string_view key, bool count) {
  JsonWriter json;
  json.begin_object().member("cmd", command).key("key").raw(key);
  if (count) json.member("count", 0);
  return json.end_object().take() + "\n";
}

}  // namespace

std::string encode(const Reply& reply) { return body(reply) + "\n"; }

std::string disconnect(std::int64_t seq) {
  return R"({"cmd":"NODE_CLUSTER","act":"disconnect","seq":)" + std::to_string(seq) + "}\n";
}

std::string acknowledge(std::int64_t ack, std::int64_t seq) {
  return R"({"cmd":"NODE_CLUSTER","ack":)" + std::to_string(ack) + R"(,"seq":)" +
         std::to_string(seq) + "}\n";
}

std::string handle_ack() { return "{\"cmd\":\"NODE_HANDLE_ACK\"}\n"; }
std::string probe() { return "{\"cmd\":\"NODE_HANDLE\"}\n"; }

std::string count_is_zero(std::string_view key) {
  return about_sockets("NODE_SOCKET_COUNT", key, true);
}
std::string all_closed(std::string_view key) {
  return about_sockets("NODE_SOCKET_ALL_CLOSED", key, false);
}

std::string with_listener(const Reply& reply, bool datagram) {
  return wrapped(datagram ? "dgram.Native" : "net.Native", body(reply));
}

std::string new_connection(std::string_view key, std::int64_t seq) {
  std::string msg = R"({"cmd":"NODE_CLUSTER","act":"newconn","key":")";
  msg.append(key).append(R"(","seq":)").append(std::to_string(seq)).append("}");
  return wrapped("net.Native", msg);
}

std::string with_handle(std::string_view type, std::string_view msg) { return wrapped(type, msg); }

std::string with_datagrams(std::string_view msg, bool is_v6) {
  std::string line = R"({"cmd":"NODE_HANDLE","type":"dgram.Socket","dgramType":)";
  line.append(is_v6 ? R"("udp6","msg":)" : R"("udp4","msg":)").append(msg).append("}\n");
  return line;
}

}  // namespace clusterd::node
