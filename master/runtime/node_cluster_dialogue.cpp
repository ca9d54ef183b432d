#include "master/runtime/node_cluster_dialogue.h"

#include "common/escaped.h"
#include "common/log.h"
#include "master/runtime/dispatcher.h"
#include "master/runtime/event_log.h"
#include "master/runtime/generations.h"
#include "master/runtime/node_listeners.h"

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

namespace clusterd::runtime {
namespace {

/// What server.address() says where connections are handed over.
std::optional<node::SocketName> name_of(const os::Listener& listener) {
  if (!listener.has_ports()) return std::nullopt;
  return node::SocketName{NodeListeners::host_of(listener.address()), listener.address().is_v6(),
                          listener.address().port()};
}

/// Of what one worker has to say to the others about a listener.
constexpr std::size_t kMostData = 4096;

int errno_of(const Error& error) {
  const std::error_code& code = error.code;
  const bool is_errno =
      code.category() == std::system_category() || code.category() == std::generic_category();
  return is_errno && code.value() > 0 ? code.value() : EINVAL;
}

}  // namespace

std::string NodeClusterDialogue::unasked() const {
  return "it has not asked for an address to listen on (one that needs none, or opens its own, is "
         "run with ready = \"message\" and says process.send(\"ready\"))";
}

/// It is free to listen on what it likes; but who wrote the [[listen]] meant it.
void NodeClusterDialogue::on_ready() {
  for (const core::ListenerIndex index : needs().generations.listeners(partner().generation)) {
    if (!servers_.has(index)) needs().node_listeners.unserved(partner().generation, index);
  }
}

void NodeClusterDialogue::on_query(const node::QueryServer& query) {
  if (!is_online()) return broke("it spoke before it said that it is online");
  if (link().leaves()) return;  // it does not wait for an answer any more
  if (query.data.size() > kMostData) {
    return refuse(query, {std::make_error_code(std::errc::invalid_argument), "listen"});
  }
  const auto index = open(query.at);
  if (!index) return refuse(query, index.error());
  node::Reply reply;
  reply.ack = query.seq;
  reply.key = core::NodeServers::key_of(*index);
  reply.data = first_words(*index, query.data);
  answer(*index, std::move(reply));
  needs().dispatcher.serve(partner().id, *index);
}

/// What the first worker that has something to say here says (a TLS server its keys) is told to
/// all, unless it dies before it was any good.
std::string NodeClusterDialogue::first_words(core::ListenerIndex index, const std::string& data) {
  std::string& words = needs().generations.first_words(index);
  if (words.empty() && data != "null") {
    words = data;
    spoke_first_.push_back(index);
  }
  return words.empty() ? data : words;
}

void NodeClusterDialogue::process_ended() {
  for (const core::ListenerIndex index : spoke_first_) {
    if (!is_ready() && needs().generations.listener(index) != nullptr) {
      needs().generations.first_words(index).clear();
    }
  }
  NodeDialogue::process_ended();
}

Result<core::ListenerIndex> NodeClusterDialogue::open(const node::Endpoint& at) {
  auto index = needs().node_listeners.find(partner().generation, at);
  if (index && !needs().generations.listener(*index)->is_open()) {
    return Error{std::make_error_code(std::errc::operation_canceled), "listen"};  // a stop
  }
  if (index && !servers_.open(*index)) {
    return Error{std::make_error_code(std::errc::address_in_use), "listen"};
  }
  return index;
}

/// It becomes an 'error' of its server.
void NodeClusterDialogue::refuse(const node::QueryServer& query, const Error& error) {
  node::Reply reply;
  reply.ack = query.seq;
  reply.seq = link().next_seq();
  reply.error = errno_of(error);
  reply.data = query.data;  // a TLS server looks at it even so
  const std::string what = " cannot listen on " + escaped(query.at.text()) + ": " +
                           std::system_category().message(reply.error);
  log::warn(to_string(partner().id) + what);
  happened(core::Awaited{"it" + what});
  link().say(encode(reply));
}

/// With the socket itself, if the workers are to share it.
void NodeClusterDialogue::answer(core::ListenerIndex index, node::Reply reply) {
  const os::Listener& listener = *needs().generations.listener(index);
  const bool race = needs().generations.listen(index).policy == config::Policy::accept_race;
  reply.seq = link().next_seq();
  if (race || listener.is_datagram()) {
    return share(index, with_listener(reply, listener.is_datagram()));
  }
  reply.name = name_of(listener);
  link().say(encode(reply));
}

void NodeClusterDialogue::on_listening() {
  const auto index = servers_.listening();
  if (!index) return;
  Event event = needs().about(partner().id, "listening");
  event.texts = {{"listener", needs().generations.listen(*index).name},
                 {"address", needs().generations.listener(*index)->text()}};
  needs().event_log.record(event);
  if (servers_.ready()) became_ready(false);
}

void NodeClusterDialogue::on_close(const node::Close& close) {
  const auto index = servers_.find(close.key);
  if (!index) return;
  servers_.close(*index);
  needs().dispatcher.serve_no_more(partner().id, *index);
  if (servers_.ready()) became_ready(false);  // it was the only one that did not listen yet
}

void NodeClusterDialogue::on_leaving(const node::ExitedAfterDisconnect& message) {
  if (!is_online()) return broke("it spoke before it said that it is online");
  const bool asked = link().leaves();
  link().leaves_by_itself();
  link().say(node::acknowledge(message.seq, link().next_seq()));
  if (!asked) happened(core::SaidSuicide{"it disconnects by itself"});
}

}  // namespace clusterd::runtime
