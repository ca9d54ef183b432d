#include "master/runtime/node_dialogue.h"

#include "common/log.h"
#include "common/protocol.h"
#include "master/runtime/dispatcher.h"
#include "master/runtime/event_log.h"
#include "master/runtime/generations.h"
#include "master/runtime/messenger.h"
#include "master/runtime/node_listeners.h"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <utility>

namespace clusterd::runtime {
namespace {

/// Connections that a worker may have been sent and not have answered for. Of these one is on its
/// way at most; the next follows when that has arrived, and not only when it was answered for.
constexpr std::uint32_t kWindow = 2;
/// Node says that it is there before it runs the program. Who says nothing for so long is no Node,
/// or has no program.
constexpr auto kOnlineSoon = std::chrono::seconds(5);

std::optional<node::SocketName> name_of(const os::Listener& listener) {
  if (!listener.has_ports()) return std::nullopt;
  const std::string text = listener.address().text();
  std::string host = text.substr(0, text.rfind(':'));
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return node::SocketName{host, listener.address().is_v6(), listener.address().port()};
}

}  // namespace

NodeDialogue::NodeDialogue(const DialogueNeeds& needs, DialoguePartner partner)
    : needs_(needs),
      partner_(std::move(partner)),
      channel_(Channel::open(needs.io, std::move(partner_.channel), node::kLongestLine,
                             {.line = [this](std::string_view line) { on_line(line); },
                              .ended = [this] { on_end(); },
                              .broken = [this](std::string how) { broke(std::move(how)); },
                              .all_sent = [this] { go_on(); }})),
      link_(std::make_shared<NodeLink>(channel_)),
      lane_to_be_(std::make_unique<NodeLane>(link_, NodeLane::Style::cluster, kWindow)),
      online_timer_(needs.io) {
  lane_ = lane_to_be_.get();
}

void NodeDialogue::start() {
  online_timer_.expires_after(kOnlineSoon);
  online_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    log::warn(to_string(partner_.id) +
              " has not said that it is online: protocol = \"node\" is for a program that is run "
              "as `node FILE`, without npm and without -e");
  });
}

void NodeDialogue::process_ended() {
  channel_->read_rest();
  lane_->gone();
}

void NodeDialogue::on_end() {
  lane_->gone();
  needs_.dispatcher.look_soon();
  needs_.channel_ended(partner_.id);
}

void NodeDialogue::on_line(std::string_view line) {
  lane_->turned();
  const auto message = node::decode_from_worker(line);
  if (!message) return broke("it sent " + message.error().what);
  std::visit([&](const auto& what) { on_message(what); }, *message);
  if (std::holds_alternative<node::User>(*message)) on_user_line(line);
}

void NodeDialogue::on_message(const node::Online&) {
  if (std::exchange(online_, true)) return broke("it said twice that it is online");
  online_timer_.cancel();
  partner_.process.has_started();
  auto joined = needs_.dispatcher.join(partner_.id, partner_.slot, std::move(lane_to_be_));
  if (!joined) return broke(joined.error().message());
  happened(core::SaidHello{});
}

void NodeDialogue::on_message(const node::QueryServer& query) {
  if (!online_) return broke("it spoke before it said that it is online");
  if (link_->leaves()) return;  // it does not wait for an answer any more
  node::Reply reply;
  reply.ack = query.seq;
  reply.data = query.data;
  const auto index = open(query.at);
  if (!index) {
    const std::error_code& code = index.error().code;
    const bool is_errno =
        code.category() == std::system_category() || code.category() == std::generic_category();
    reply.error = is_errno && code.value() > 0 ? code.value() : EINVAL;
    log::warn(to_string(partner_.id) + " cannot listen on " + query.at.text() + ": " +
              std::system_category().message(reply.error));
    reply.seq = link_->next_seq();
    return link_->say(encode(reply));
  }
  std::string& data = needs_.generations.first_words(*index);
  if (data.empty()) data = query.data;
  reply.data = data;
  reply.key = core::NodeServers::key_of(*index);
  reply_with(*index, std::move(reply));
  needs_.dispatcher.serve(partner_.id, *index);
}

Result<core::ListenerIndex> NodeDialogue::open(const node::Endpoint& at) {
  auto index = needs_.node_listeners.find(partner_.generation, at);
  if (index && !servers_.open(*index)) {
    return Error{std::make_error_code(std::errc::address_in_use), "listen"};
  }
  return index;
}

/// With the socket itself, if the workers are to share it.
void NodeDialogue::reply_with(core::ListenerIndex index, node::Reply reply) {
  const os::Listener& listener = *needs_.generations.listener(index);
  const bool shared = needs_.generations.listen(index).policy == config::Policy::accept_race;
  reply.seq = link_->next_seq();
  if (!shared && !listener.is_datagram()) {
    reply.name = name_of(listener);
    return link_->say(encode(reply));
  }
  UniqueFd copy(::fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0));
  // Not the worker's fault; but without the socket it cannot serve, and a new one may.
  if (!copy) return broke(errno_error("copy its listener").message());
  link_->hand_over(with_listener(reply, listener.is_datagram()), std::move(copy),
                   [this] { broke("it has no room for the socket of its listener"); });
}

void NodeDialogue::on_message(const node::Listening& listening) {
  Event event = needs_.about(partner_.id, "listening");
  event.texts = {{"listener", listening.at.text()}, {"address", listening.at.text()}};
  needs_.event_log.record(event);
  servers_.listening();
  look_whether_ready(false);
}

void NodeDialogue::on_message(const node::Close& close) {
  const auto index = servers_.find(close.key);
  if (!index) return;
  servers_.close(*index);
  needs_.dispatcher.serve_no_more(partner_.id, *index);
}

void NodeDialogue::on_message(const node::ExitedAfterDisconnect& message) {
  const bool asked = link_->leaves();
  link_->leaves_by_itself();
  link_->say(node::acknowledge(message.seq, link_->next_seq()));
  if (!asked) happened(core::SaidSuicide{"it disconnects by itself"});
}

void NodeDialogue::on_message(const node::Answer& answer) {
  lane_->answered(answer.ack, answer.accepted);
  needs_.dispatcher.look_soon();
}

void NodeDialogue::on_message(const node::HandleAck&) {
  if (link_->acknowledged().connection) lane_->arrived();
  go_on();
}

void NodeDialogue::on_message(const node::HandleNack&) {
  const NodeLink::Answered refused = link_->refused();
  if (refused.connection) {
    lane_->lost();
    needs_.dispatcher.look_soon();
  }
  if (refused.answer == NodeLink::Answer::jammed) {
    needs_.recycle(partner_.id, "it has no room for descriptors (nofile)");
  }
  go_on();
}

/// The descriptor is closed by the kernel: the channel does not ask for any.
void NodeDialogue::on_message(const node::Handle& handle) {
  link_->say(node::handle_ack());
  say_once(told_of_handle_, " sent a " + handle.type +
                                " with a message: there is nobody for it, "
                                "and it is closed");
}

void NodeDialogue::on_message(const node::CountSockets& count) {
  link_->say(node::count_is_zero(count.key));
}

void NodeDialogue::on_message(const node::NotifyClose& close) {
  link_->say(node::all_closed(close.key));
}

void NodeDialogue::on_message(const node::User& user) {
  join_messages();
  if (user.ready) look_whether_ready(true);
}

void NodeDialogue::on_message(const node::UserTooLarge&) {
  say_once(told_of_size_,
           " sent a message that is nested too deeply or has too many members; "
           "it goes nowhere");
}

/// What of it is for the master or for others.
void NodeDialogue::on_user_line(std::string_view line) {
  const auto message = protocol::decode_from_child(line);
  if (!message) return;
  if (const auto* envelope = std::get_if<Envelope>(&*message)) {
    return needs_.messenger.route(partner_.id, *envelope, line);
  }
  if (std::holds_alternative<protocol::Ready>(*message)) return look_whether_ready(true);
  if (const auto* suicide = std::get_if<protocol::Suicide>(&*message)) {
    if (!online_) return;
    happened(core::SaidSuicide{suicide->reason.empty() ? "it gave no reason" : suicide->reason});
  }
}

/// Node drops what comes before the program runs.
void NodeDialogue::join_messages() {
  if (!online_ || std::exchange(in_messages_, true)) return;
  needs_.messenger.join(partner_.id, channel_, partner_.process.pid(), partner_.slot,
                        Messenger::Dialect::node);
}

void NodeDialogue::look_whether_ready(bool said_so) {
  const auto when = needs_.settings_of(partner_.id).worker.ready.when;
  const bool by_message = when == config::Ready::When::message;
  if (ready_ || !online_ || !(said_so || (!by_message && servers_.ready()))) return;
  ready_ = true;
  join_messages();
  happened(core::SaidReady{});
}

void NodeDialogue::go_on() {
  link_->go_on();
  lane_->go_on();
  needs_.messenger.all_sent(partner_.id);
}

void NodeDialogue::say_once(bool& said, const std::string& what) {
  if (!std::exchange(said, true)) log::warn(to_string(partner_.id) + what);
}

}  // namespace clusterd::runtime
