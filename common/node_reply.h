#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What the master says to a worker of Node's cluster (node_protocol.h has what it hears).
namespace clusterd::node {

/// server.address() of a worker that is handed connections.
struct SocketName {
  std::string address;
  bool is_v6 = false;
  std::uint16_t port = 0;
};
/// Answers queryServer.
struct Reply {
  std::int64_t ack = 0;
  std::int64_t seq = 0;
  int error = 0;  ///< a positive errno; it goes out as Node has it, negative
  std::string key{};
  std::string data = "null";
  std::optional<SocketName> name{};
};

// All with the newline.
[[nodiscard]] std::string encode(const Reply& reply);
[[nodiscard]] std::string disconnect(std::int64_t seq);
/// Answers exitedAfterDisconnect.
[[nodiscard]] std::string acknowledge(std::int64_t ack, std::int64_t seq);
[[nodiscard]] std::string handle_ack();
/// Is answered with HandleNack from the worker's loop; to be sent while no descriptor is on its
/// way.
[[nodiscard]] std::string probe();
[[nodiscard]] std::string count_is_zero(std::string_view key);
[[nodiscard]] std::string all_closed(std::string_view key);

// Each goes with exactly one descriptor.
/// A reply with the socket itself, which all workers share.
[[nodiscard]] std::string with_listener(const Reply& reply, bool datagram);
/// A connection for the server of that key.
[[nodiscard]] std::string new_connection(std::string_view key, std::int64_t seq);
/// A message for the program; `type` as in Handle, `msg` is JSON.
[[nodiscard]] std::string with_handle(std::string_view type, std::string_view msg);
/// The same with a UDP socket.
[[nodiscard]] std::string with_datagrams(std::string_view msg, bool is_v6);

}  // namespace clusterd::node
