// Any line of a Node worker: it is understood or refused with a reason, and what is said back on
// the strength of it is one line of JSON.
#include "common/json.h"
#include "common/node_protocol.h"
#include "common/node_reply.h"
#include "tests/fuzz/fuzz.h"

#include <string>

namespace clusterd::fuzz {
namespace {

void is_a_line(const std::string& line) {
  must(line.find('\n') == line.size() - 1, "what is said is one line");
  must(check_json({line.data(), line.size() - 1}).has_value(), "what is said is JSON");
}

struct Answers {
  void operator()(const node::QueryServer& query) const {
    node::Reply reply{.ack = query.seq, .key = "clusterd:0", .data = query.data};
    is_a_line(encode(reply));
    is_a_line(with_listener(reply, query.at.is_udp()));
    must(!query.at.text().empty(), "an endpoint has a text");
    must(query.at.kind != node::Endpoint::Kind::unix_socket || !query.at.address.empty(),
         "a path is one");
  }
  void operator()(const node::ExitedAfterDisconnect& message) const {
    is_a_line(node::acknowledge(message.seq, 1));
  }
  void operator()(const node::Handle& handle) const {
    is_a_line(node::with_handle("net.Socket", handle.msg));
  }
  void operator()(const node::CountSockets& count) const {
    is_a_line(node::count_is_zero(count.key));
  }
  void operator()(const node::NotifyClose& close) const { is_a_line(node::all_closed(close.key)); }
  template <typename Other>
  void operator()(const Other&) const {}
};

}  // namespace

void try_input(std::string_view input) {
  input = input.substr(0, input.find('\n'));
  const auto message = node::decode_from_worker(input);
  if (!message) {
    must(!message.error().message().empty(), "an error says what is wrong");
    return;
  }
  const bool is_users = std::holds_alternative<node::User>(*message);
  if (is_users) must(!node::is_internal(input), "what is a program's is not Node's");
  std::visit(Answers{}, *message);
}

}  // namespace clusterd::fuzz
