#include "master/runtime/node_dialogue.h"

#include "common/envelope.h"
#include "common/escaped.h"
#include "common/json.h"
#include "common/log.h"
#include "common/protocol.h"
#include "master/runtime/dispatcher.h"
#include "master/runtime/generations.h"
#include "master/runtime/messenger.h"

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <optional>
#include <sys/socket.h>
#include <utility>

namespace clusterd::runtime {
namespace {

/// Connections that a process may have been sent and not have answered for. Of these one is on its
/// way at most; the next follows when that has arrived, and not only when it was answered for.
constexpr std::uint32_t kWindow = 2;
/// Node says that it is there before it runs the program. Who says nothing for so long is no Node,
/// or has no program.
constexpr Duration kOnlineSoon = std::chrono::seconds(5);
constexpr const char* kNoNode =
    "this protocol is for a program that is run as `node FILE`, without npm and without -e";

bool is_v6(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_INET6;
}

}  // namespace

NodeDialogue::NodeDialogue(const DialogueNeeds& needs, DialoguePartner partner,
                           NodeLane::Style style)
    : needs_(needs),
      partner_(std::move(partner)),
      channel_(
          Channel::open(needs.io, std::move(partner_.channel), node::kLongestLine,
                        {.line = [this](std::string_view line) { on_line(line); },
                         .ended = [this] { on_end(); },
                         .broken = [this](std::string how) { broke(std::move(how)); },
                         .all_sent = [this] { go_on(); },
                         .low = [this] { needs_.messenger.is_low(partner_.id); },
                         .notices = [this] { return needs_.messenger.notices(partner_.id); }})),
      link_(std::make_shared<NodeLink>(channel_)),
      lane_to_be_(
          std::make_unique<NodeLane>(link_, style, std::min(kWindow, needs.dispatcher.window()))),
      lane_(lane_to_be_.get()),
      online_timer_(needs.io) {
  channel_->keep_descriptor();
}

void NodeDialogue::start() {
  const Duration timeout = needs_.settings_of(partner_.id).worker.ready_timeout;
  online_timer_.expires_after(std::min(kOnlineSoon, timeout / 2));
  online_timer_.async_wait(unless_gone([this] {
    log::warn(to_string(partner_.id) + " has not said that it is online: " + kNoNode);
    happened(core::Awaited{kNoNode});
  }));
}

void NodeDialogue::process_ended() {
  channel_->read_rest();
  lane_->gone();
}

void NodeDialogue::on_end() {
  lane_->gone();
  needs_.dispatcher.look_soon();
  // One that was hung up on closes its own end too, and may have connections to finish.
  if (!link_->hung_up()) needs_.channel_ended(partner_.id);
}

void NodeDialogue::on_line(std::string_view line) {
  lane_->turned();
  const auto message = node::decode_from_worker(line);
  if (!message) return broke("it sent " + message.error().what);
  std::visit([&](const auto& what) { on(what); }, *message);
  if (std::holds_alternative<node::User>(*message)) on_user_line(line);
}

void NodeDialogue::came_online() {
  if (std::exchange(online_, true)) return broke("it said twice that it is online");
  online_timer_.cancel();
  partner_.process.has_started();
  if (auto joined = join(); !joined) return broke(joined.error().message());
  happened(core::SaidHello{});
  const auto when = needs_.settings_of(partner_.id).worker.ready.when;
  const bool by_message = when == config::Ready::When::message;
  happened(core::Awaited{by_message ? "its program has not said \"ready\"" : unasked()});
}

Result<void> NodeDialogue::join() {
  return needs_.dispatcher.join(partner_.id, partner_.slot, std::move(lane_to_be_));
}

bool NodeDialogue::has_to_say_ready() const {
  return needs_.settings_of(partner_.id).worker.ready.when == config::Ready::When::message;
}

void NodeDialogue::share(core::ListenerIndex index, std::string line) {
  UniqueFd copy(::fcntl(needs_.generations.listener(index)->fd(), F_DUPFD_CLOEXEC, 0));
  // Not the worker's fault; but without the socket it cannot serve, and a new one may.
  if (!copy) return broke(errno_error("copy its listener").message());
  set_nonblocking(copy.get());  // another worker may have taken that off
  if (!link_->hand_over(std::move(line), std::move(copy),
                        [this] { broke("it has no room for the socket of its listener"); })) {
    broke("it does not take the sockets that it asks for");
  }
}

void NodeDialogue::on(const node::Answer& answer) {
  lane_->answered(answer.ack, answer.accepted);
  needs_.dispatcher.look_soon();
}

void NodeDialogue::on(const node::HandleAck&) {
  const NodeLink::Answered answered = link_->acknowledged();
  if (answered.connection) {
    lane_->arrived();
    needs_.dispatcher.look_soon();
  } else if (answered.answer == NodeLink::Answer::arrived) {
    on_arrived();
  }
  go_on();
}

void NodeDialogue::on(const node::HandleNack&) {
  const NodeLink::Answered refused = link_->refused();
  if (refused.connection) {
    lane_->lost();
    needs_.dispatcher.look_soon();
  }
  if (refused.answer == NodeLink::Answer::alive) on_alive();
  if (refused.answer == NodeLink::Answer::jammed) {
    needs_.recycle(partner_.id, "it has no room for descriptors (nofile)");
  }
  go_on();
}

void NodeDialogue::on(const node::Handle& handle) {
  link_->say(node::handle_ack());
  if (pass_on(handle, channel_->take_descriptor())) return;
  say_once(told_of_handle_, " sent a " + escaped(handle.type) +
                                " with a message: nobody is there for it, and it is closed");
}

/// To the one program that it is for, if that is of Node too.
bool NodeDialogue::pass_on(const node::Handle& handle, UniqueFd fd) {
  if (!fd || !is_of_type(handle.type, fd.get()) || node::is_internal(handle.msg)) return false;
  const auto json = check_json(handle.msg);
  const auto envelope = json ? open_envelope(*json) : std::nullopt;
  if (!envelope || !protocol::is_message(*json)) return false;
  join_messages();
  const bool datagrams = handle.type == "dgram.Socket";
  std::string line = datagrams ? node::with_datagrams(handle.msg, is_v6(fd.get()))
                               : node::with_handle(handle.type, handle.msg);
  return needs_.messenger.pass(partner_.id, *envelope, std::move(line), std::move(fd));
}

void NodeDialogue::on(const node::User& user) {
  on_spoke();  // it runs, so it need not be asked
  join_messages();
  if (user.ready) became_ready(true);
}

void NodeDialogue::on(const node::UserTooLarge&) {
  say_once(told_of_size_,
           " sent a message that is nested too deeply or has too many members; it goes nowhere");
}

/// What of it is for the master or for others.
void NodeDialogue::on_user_line(std::string_view line) {
  const auto checked = check_json(line);
  if (!checked) return;
  if (protocol::is_message(*checked)) {
    needs_.messenger.route(partner_.id, *checked, line);
    return on_envelope(*checked);
  }
  const auto message = protocol::decode_from_child(*checked);
  if (!message) return;
  if (const auto* notices = std::get_if<protocol::Notices>(&*message)) {
    return needs_.messenger.wants_notices(partner_.id, notices->tells_heard);
  }
  if (const auto* said = std::get_if<protocol::Heard>(&*message)) {
    return needs_.messenger.heard(partner_.id, said->count);
  }
  if (std::holds_alternative<protocol::Ready>(*message)) return became_ready(true);
  if (const auto* failed = std::get_if<protocol::Failed>(&*message)) return on_failed(*failed);
  if (const auto* said = std::get_if<protocol::Handles>(&*message)) {
    return needs_.handles(partner_.id, *said);
  }
  if (const auto* said = std::get_if<protocol::Ran>(&*message)) {
    return needs_.ran(partner_.id, *said);
  }
  const auto* suicide = std::get_if<protocol::Suicide>(&*message);
  if (suicide == nullptr || !online_) return;
  said_suicide_ = true;
  happened(core::SaidSuicide{suicide->reason.empty() ? "it gave no reason" : suicide->reason});
}

/// Node drops what comes before the program runs.
void NodeDialogue::join_messages() {
  if (!online_ || std::exchange(in_messages_, true)) return;
  const bool has_slot = partner_.id.role == Role::worker;
  needs_.messenger.join(partner_.id, channel_, partner_.process.pid(),
                        has_slot ? std::optional(partner_.slot) : std::nullopt,
                        Messenger::Dialect::node);
  needs_.messenger.takes_descriptors(partner_.id, [link = link_](std::string line, UniqueFd fd) {
    return link->hand_over(std::move(line), std::move(fd));
  });
}

void NodeDialogue::became_ready(bool said_so) {
  if (ready_ || !online_ || (!said_so && has_to_say_ready())) return;
  ready_ = true;
  join_messages();
  on_ready();
  happened(core::SaidReady{});
}

void NodeDialogue::go_on() {
  link_->go_on();
  lane_->go_on();
}

void NodeDialogue::say_once(bool& said, const std::string& what) {
  if (!std::exchange(said, true)) log::warn(to_string(partner_.id) + what);
}

}  // namespace clusterd::runtime
