#include "master/runtime/native_dialogue.h"

#include "common/log.h"
#include "master/runtime/dispatcher.h"
#include "master/runtime/event_log.h"
#include "master/runtime/generations.h"
#include "master/runtime/http_service.h"
#include "master/runtime/log_service.h"
#include "master/runtime/messenger.h"
#include "master/runtime/offer_lane.h"

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <optional>
#include <utility>

namespace clusterd::runtime {
namespace {

/// The library says hello when its program begins. Who says nothing for so long is built without.
constexpr Duration kHelloSoon = std::chrono::seconds(5);
constexpr const char* kNoLibrary =
    "is it built with the worker library? One that is not is run with protocol = \"listen-fds\", "
    "\"none\" or \"node\"";

}  // namespace

NativeDialogue::NativeDialogue(const DialogueNeeds& needs, DialoguePartner partner)
    : needs_(needs),
      partner_(std::move(partner)),
      channel_(
          Channel::open(needs.io, std::move(partner_.channel), protocol::kLongestLine,
                        {.line = [this](std::string_view line) { on_line(line); },
                         .ended = [this] { needs_.channel_ended(partner_.id); },
                         .broken = [this](std::string how) { broke(std::move(how)); },
                         .low = [this] { needs_.messenger.is_low(partner_.id); },
                         .notices = [this] { return needs_.messenger.notices(partner_.id); }})),
      hello_timer_(needs.io) {}

void NativeDialogue::start() {
  if (partner_.id.role == Role::agent) return;
  hello_timer_.expires_after(std::min(kHelloSoon, ready_timeout() / 2));
  hello_timer_.async_wait(unless_gone([this] {
    log::warn(to_string(partner_.id) + " has said no hello: " + kNoLibrary);
    happened(core::Awaited{kNoLibrary});
  }));
}

void NativeDialogue::left_rotation() {
  // A worker hears it on its lane.
  if (partner_.id.role == Role::agent) channel_->end();
}

void NativeDialogue::process_ended() { channel_->read_rest(); }

void NativeDialogue::ping() { channel_->send(encode(protocol::Ping{})); }

void NativeDialogue::on_line(std::string_view line) {
  JsonError wrong;
  if (!check_json(line, checked_, &wrong)) {
    return broke("it sent " + protocol::no_json(wrong).what);
  }
  if (protocol::is_message(checked_)) return on_envelope(checked_, line);
  const auto message = protocol::decode_from_child(checked_);
  if (!message) return broke("it sent " + message.error().what);
  const bool first = std::holds_alternative<protocol::Hello>(*message) ||
                     std::holds_alternative<protocol::Unknown>(*message);
  if (!first && !said_hello_) return broke("it spoke before it said hello");
  std::visit([&](const auto& what) { on_message(what); }, *message);
}

void NativeDialogue::on_envelope(const CheckedJson& message, std::string_view line) {
  needs_.messenger.route(partner_.id, message, line);
}

Duration NativeDialogue::ready_timeout() const { return settings().worker.ready_timeout; }
Duration NativeDialogue::drain_timeout() const { return settings().worker.drain_timeout; }

void NativeDialogue::on_message(const protocol::Hello& hello) {
  if (hello.version != protocol::kVersion) {
    return broke("it speaks protocol version " + std::to_string(hello.version) + ", this master " +
                 std::to_string(protocol::kVersion));
  }
  if (!said_hello_) {
    said_hello_ = true;
    is_known();
    counts_turns_ = hello.heartbeat;
    partner_.process.has_started();
    const auto drain = std::chrono::duration_cast<std::chrono::milliseconds>(drain_timeout());
    protocol::Welcome welcome{protocol::kVersion, 0, drain.count(),
                              settings().worker.max_connections};
    auto fds = join(hello.tells_heard);
    if (!fds) return broke(fds.error().message());
    const bool is_agent = partner_.id.role == Role::agent;
    welcome.fds = static_cast<std::int64_t>(fds->size());
    welcome.log = is_agent && needs_.log.has_file();
    channel_->send(encode(welcome), std::move(*fds));
    if (is_agent) {
      needs_.log.serve(channel_);
      needs_.http.serve(channel_);
    }
  }
  came_online();
}

/// The worker's ends of its lane. The agent has none.
Result<std::vector<UniqueFd>> NativeDialogue::join(bool tells_heard) {
  std::vector<UniqueFd> fds;
  if (partner_.id.role == Role::agent) return fds;
  auto lane = OfferLane::create(needs_.dispatcher.window());
  if (!lane) return lane.error();
  OfferLane::WorkerEnds ends = lane->take_worker_ends();
  auto joined = needs_.dispatcher.join(partner_.id, partner_.slot,
                                       std::make_unique<OfferLane>(std::move(*lane)));
  if (!joined) return joined.error();
  needs_.messenger.join(partner_.id, channel_, partner_.process.pid(), partner_.slot,
                        Messenger::Dialect::native, tells_heard);
  fds.push_back(std::move(ends.connections));
  fds.push_back(std::move(ends.page));
  fds.push_back(std::move(ends.wake));
  return fds;
}

void NativeDialogue::on_message(const protocol::Listen& listen) {
  protocol::Listening reply;
  reply.ack = listen.seq;
  std::vector<UniqueFd> fds;
  std::optional<core::ListenerIndex> index;
  if (partner_.id.role == Role::worker) {
    index = needs_.generations.find(partner_.generation, listen.listener);
  }
  if (index) {
    auto served = serve(*index, reply);
    // Not the worker's fault; but without the socket it cannot serve, and a new one may.
    if (!served) return broke(served.error().message());
    fds = std::move(*served);
    Event event = needs_.about(partner_.id, "listening");
    event.texts = {{"listener", needs_.generations.listen(*index).name},
                   {"address", reply.address}};
    needs_.event_log.record(event);
  } else {
    reply.error = "there is no listener \"" + listen.listener + "\"; there is";
    for (const config::Listen& known : settings().listen) reply.error += " \"" + known.name + "\"";
  }
  channel_->send(encode(reply), std::move(fds));
}

/// What goes to it with the reply.
Result<std::vector<UniqueFd>> NativeDialogue::serve(core::ListenerIndex index,
                                                    protocol::Listening& reply) {
  const os::Listener& listener = *needs_.generations.listener(index);
  reply.index = index;
  reply.address = listener.text();
  needs_.dispatcher.serve(partner_.id, index);
  reply.datagram = listener.is_datagram();
  std::vector<UniqueFd> fds;
  if (reply.datagram || needs_.generations.listen(index).policy == config::Policy::accept_race) {
    fds.emplace_back(::fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0));
    if (!fds.back()) return errno_error("copy its listener");
    reply.fds = 1;
  }
  return fds;
}

void NativeDialogue::on_message(const protocol::Ready&) { happened(core::SaidReady{}); }

void NativeDialogue::on_message(const protocol::Refuse&) {
  if (partner_.id.role != Role::worker) return;
  log::warn(to_string(partner_.id) + " is out of descriptors; what it was offered goes to others");
  needs_.dispatcher.refuse(partner_.id);
  channel_->send(encode(protocol::Revoked{}));
}

void NativeDialogue::on_message(const protocol::Heard& heard) {
  needs_.messenger.heard(partner_.id, heard.count);
}

/// Not a worker's business, and as unknown to it as any act that there is not.
void NativeDialogue::on_message(const protocol::Report& report) {
  if (partner_.id.role == Role::agent) needs_.http.asked(report);
}

void NativeDialogue::on_message(const protocol::LogWritten& said) {
  if (partner_.id.role == Role::agent) needs_.log.said(said);
}

void NativeDialogue::on_message(const protocol::Suicide& suicide) {
  happened(core::SaidSuicide{suicide.reason.empty() ? "it gave no reason" : suicide.reason});
}

}  // namespace clusterd::runtime
