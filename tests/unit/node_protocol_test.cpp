#include "common/node_protocol.h"

#include "common/node_reply.h"

#include <doctest/doctest.h>

#include <string>

namespace clusterd::node {
namespace {

using namespace std::string_literals;

template <typename T>
T heard(std::string_view line) {
  const auto message = decode_from_worker(line);
  REQUIRE_MESSAGE(message.has_value(), line);
  REQUIRE_MESSAGE(std::holds_alternative<T>(*message), line);
  return std::get<T>(*message);
}

std::string refused(std::string_view line) {
  const auto message = decode_from_worker(line);
  REQUIRE_FALSE(message.has_value());
  return message.error().what;
}

std::string query(const std::string& fields) {
  return R"({"cmd":"NODE_CLUSTER","act":"queryServer",)" + fields + R"(,"seq":7})";
}

Endpoint asked(const std::string& fields) { return heard<QueryServer>(query(fields)).at; }

}  // namespace

TEST_CASE("what a worker of Node's cluster says while it starts is understood") {
  heard<Online>(R"({"cmd":"NODE_CLUSTER","act":"online","seq":0})");
  const auto said = heard<QueryServer>(
      R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":2,"data":{"ticketKeys":"ab"},)"
      R"("address":"127.0.0.1","port":8123,"addressType":4,"flags":0,"backlog":false,"seq":1})");
  CHECK(said.seq == 1);
  CHECK(said.data == R"({"ticketKeys":"ab"})");
  CHECK(said.at == Endpoint{.address = "127.0.0.1", .port = 8123, .index = 2});
  const auto listening = heard<Listening>(
      R"({"cmd":"NODE_CLUSTER","act":"listening","index":0,"data":null,"address":null,)"
      R"("port":40001,"addressType":4,"flags":0,"seq":2})");
  CHECK(listening.at == Endpoint{.port = 40001});
  CHECK(heard<Close>(R"({"cmd":"NODE_CLUSTER","act":"close","key":"a:1","seq":3})").key == "a:1");
  CHECK(heard<Answer>(R"({"cmd":"NODE_CLUSTER","ack":4,"accepted":false,"seq":9})") ==
        Answer{4, false});
  CHECK(heard<ExitedAfterDisconnect>(
            R"({"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":5})")
            .seq == 5);
}

TEST_CASE("each way to listen has its fields") {
  using Kind = Endpoint::Kind;
  CHECK(asked(R"("address":null,"port":80,"addressType":6,"flags":1,"backlog":128)") ==
        Endpoint{.kind = Kind::tcp6, .port = 80, .backlog = 128, .v6only = true});
  CHECK(asked(R"("address":"/run/a.sock","port":-1,"addressType":-1,"readableAll":true)") ==
        Endpoint{.kind = Kind::unix_socket, .address = "/run/a.sock", .readable_all = true});
  CHECK(asked(R"("address":"/home/\u0000name","port":-1,"addressType":-1)").address == "\0name"s);
  CHECK(asked(R"("address":"::","port":53,"addressType":"udp6","fd":-1,"flags":4)") ==
        Endpoint{.kind = Kind::udp6, .address = "::", .port = 53});
  CHECK(asked(R"("address":null,"port":null,"addressType":null,"fd":3)") ==
        Endpoint{.kind = Kind::inherited, .fd = 3});
  CHECK(refused(query(R"("port":1)")) == "queryServer without a valid \"addressType\"");
  CHECK(refused(query(R"("port":65536,"addressType":4)")) ==
        "queryServer without a valid \"port\"");
  CHECK(refused(query(R"("address":"","addressType":-1)")) ==
        "queryServer without a valid \"address\"");
  CHECK(refused(R"({"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect"})") ==
        "exitedAfterDisconnect without a valid \"seq\"");
}

TEST_CASE("a line is Node's own by its cmd, exactly as Node has it") {
  for (const char* line :
       {R"(null)", R"("text")", R"([{"cmd":"NODE_HANDLE"}])", R"({"cmd":"NODE_"})",
        R"({"cmd":"node_handle"})", R"({"cmd":7})", R"({"x":{"cmd":"NODE_HANDLE"}})",
        R"({"cmd":"NODE_HANDLE","cmd":"mine"})", R"({"text":"\ud83d"})"}) {
    heard<User>(line);
    CHECK_FALSE(is_internal(line));
  }
  for (const char* line :
       {R"({"cmd":"NODE_X"})", R"({"\u0063md":"NODE_HANDLE"})",
        R"({"cmd":"mine","cmd":"NODE_HANDLE"})", R"({"cmd":"NODE\u005fHANDLE"})"}) {
    CHECK(is_internal(line));
  }
  heard<Unknown>(R"({"cmd":"NODE_X"})");
  heard<Unknown>(R"({"cmd":"NODE_CLUSTER","act":"something"})");
  heard<Unknown>(R"({"cmd":"NODE_CLUSTER","ack":1})");
}

TEST_CASE("descriptors and sockets that were given away are heard of") {
  heard<HandleAck>(R"({"cmd":"NODE_HANDLE_ACK"})");
  heard<HandleNack>(R"({"cmd":"NODE_HANDLE_NACK"})");
  // Too deep to look at; unanswered, its sender would say nothing more.
  CHECK(heard<Handle>(R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":)" + std::string(70, '[') +
                      std::string(70, ']') + "}")
            .type == "descriptor");
  const auto handle = heard<Handle>(R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":[1]})");
  CHECK(handle.type == "net.Socket");
  CHECK(handle.msg == "[1]");
  CHECK(heard<NotifyClose>(R"({"cmd":"NODE_SOCKET_NOTIFY_CLOSE","key":"6::8"})").key ==
        R"("6::8")");
  CHECK(heard<CountSockets>(R"({"cmd":"NODE_SOCKET_GET_COUNT","key":1})").key == "1");
}

TEST_CASE("a program says that it is ready in one of several ways") {
  for (const char* line : {R"("ready")", R"( "ready" )", R"({"action":"ready"})",
                           R"({"data":1,"action":"reuse-port-listening"})"}) {
    CHECK(heard<User>(line).ready);
  }
  for (const char* line : {R"("Ready")", R"({"action":"app-start"})", "1", R"(["ready"])"}) {
    CHECK_FALSE(heard<User>(line).ready);
  }
}

TEST_CASE("what cannot be a line of Node says what it is") {
  CHECK(refused("").find("no JSON") != std::string::npos);
  CHECK(refused("\0\0\0\x0b\xff"s).find("advanced") != std::string::npos);
  CHECK(refused("\x02{}").find("Bun") != std::string::npos);
  heard<UserTooLarge>(std::string(100, '[') + std::string(100, ']'));
}

TEST_CASE("what the master says is what Node's own would") {
  Reply reply{.ack = 1, .seq = 0, .key = "k", .name = SocketName{"127.0.0.1", false, 80}};
  CHECK(encode(reply) ==
        R"({"cmd":"NODE_CLUSTER","errno":0,"key":"k","ack":1,"data":null,"sockname":)"
        R"({"address":"127.0.0.1","family":"IPv4","port":80},"seq":0})"
        "\n");
  reply = {.ack = 2, .seq = 3, .error = 98, .key = "k", .data = R"({"a":1})"};
  CHECK(encode(reply) ==
        R"({"cmd":"NODE_CLUSTER","errno":-98,"key":"k","ack":2,"data":{"a":1},"seq":3})"
        "\n");
  CHECK(new_connection("k", 4) == R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":)"
                                  R"({"cmd":"NODE_CLUSTER","act":"newconn","key":"k","seq":4}})"
                                  "\n");
  const std::string shared = with_listener({.ack = 1, .key = "k"}, true);
  CHECK(shared.starts_with(R"({"cmd":"NODE_HANDLE","type":"dgram.Native","msg":{"cmd":"NODE_)"));
  CHECK(with_handle("net.Server", R"("server")") ==
        R"({"cmd":"NODE_HANDLE","type":"net.Server","msg":"server"})"
        "\n");
  CHECK(with_datagrams("1", true) ==
        R"({"cmd":"NODE_HANDLE","type":"dgram.Socket","dgramType":"udp6","msg":1})"
        "\n");
  CHECK(disconnect(5) == "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"disconnect\",\"seq\":5}\n");
  CHECK(acknowledge(5, 6) == "{\"cmd\":\"NODE_CLUSTER\",\"ack\":5,\"seq\":6}\n");
  CHECK(handle_ack() == "{\"cmd\":\"NODE_HANDLE_ACK\"}\n");
  CHECK(probe() == "{\"cmd\":\"NODE_HANDLE\"}\n");
  CHECK(all_closed("\"a\"") == "{\"cmd\":\"NODE_SOCKET_ALL_CLOSED\",\"key\":\"a\"}\n");
  CHECK(count_is_zero("1") == "{\"cmd\":\"NODE_SOCKET_COUNT\",\"key\":1,\"count\":0}\n");
}

}  // namespace clusterd::node
