#include "common/log.h"
#include "common/protocol.h"
#include "master/runtime/supervisor.h"

#include <fcntl.h>

namespace clusterd::runtime {

void Supervisor::on_line(ChildId id, std::string_view line) {
  const auto message = protocol::decode_from_child(line);
  if (!message) return happened(id, core::BrokeProtocol{"it sent " + message.error().what});
  if (const auto* envelope = std::get_if<Envelope>(&*message)) {
    return messenger_.route(id, *envelope, line);
  }
  const bool first = std::holds_alternative<protocol::Hello>(*message) ||
                     std::holds_alternative<protocol::Unknown>(*message);
  if (!first && !children_.at(id)->said_hello) {
    return happened(id, core::BrokeProtocol{"it spoke before it said hello"});
  }
  std::visit([&](const auto& what) { on_message(id, what); }, *message);
}

void Supervisor::on_message(ChildId id, const protocol::Hello& hello) {
  Child& child = *children_.at(id);
  if (hello.version != protocol::kVersion) {
    return happened(
        id, core::BrokeProtocol{"it speaks protocol version " + std::to_string(hello.version) +
                                ", this master " + std::to_string(protocol::kVersion)});
  }
  if (!child.said_hello) {
    child.said_hello = true;
    child.counts_turns = hello.heartbeat;
    child.process.has_started();
    const config::Worker& worker = settings_of(id).worker;
    const auto drain = std::chrono::duration_cast<std::chrono::milliseconds>(worker.drain_timeout);
    protocol::Welcome welcome{protocol::kVersion, 0, drain.count(), worker.max_connections};
    std::vector<UniqueFd> fds;
    if (id.role == Role::worker) {
      const SlotId slot = cluster_.children().at(id).slot;
      auto ends = dispatcher_.join(id, slot);
      if (!ends) return happened(id, core::BrokeProtocol{ends.error().message()});
      fds.push_back(std::move(ends->connections));
      fds.push_back(std::move(ends->page));
      fds.push_back(std::move(ends->wake));
      messenger_.join(id, child.channel, child.process.pid(), slot);
    }
    welcome.fds = static_cast<std::int64_t>(fds.size());
    child.channel->send(encode(welcome), std::move(fds));
    if (id.role == Role::agent) http_.serve(child.channel);
  }
  happened(id, core::SaidHello{});
}

void Supervisor::on_message(ChildId id, const protocol::Listen& listen) {
  protocol::Listening reply;
  reply.ack = listen.seq;
  std::vector<UniqueFd> fds;
  const config::Settings& settings = settings_of(id);
  std::optional<core::ListenerIndex> index;
  if (id.role == Role::worker) {
    index = generations_.find(cluster_.children().at(id).generation, listen.listener);
  }
  if (index) {
    const os::Listener& listener = *generations_.listener(*index);
    const config::Listen& its = generations_.listen(*index);
    reply.index = *index;
    reply.address = listener.text();
    dispatcher_.serve(id, *index);
    reply.datagram = listener.is_datagram();
    if (reply.datagram || its.policy == config::Policy::accept_race) {
      UniqueFd copy(::fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0));
      // Not the worker's fault; but without the socket it cannot serve, and a new one may.
      if (!copy) {
        return happened(id, core::BrokeProtocol{errno_error("copy its listener").message()});
      }
      fds.push_back(std::move(copy));
      reply.fds = 1;
    }
    Event event = about(id, "listening");
    event.texts = {{"listener", its.name}, {"address", reply.address}};
    event_log_.record(event);
  } else {
    reply.error = "there is no listener \"" + listen.listener + "\"; there is";
    for (const config::Listen& known : settings.listen) reply.error += " \"" + known.name + "\"";
  }
  children_.at(id)->channel->send(encode(reply), std::move(fds));
}

void Supervisor::on_message(ChildId id, const protocol::Ready&) { happened(id, core::SaidReady{}); }

void Supervisor::on_message(ChildId id, const protocol::Refuse&) {
  log::warn(to_string(id) + " is out of descriptors; what it was offered goes to others");
  dispatcher_.refuse(id);
  children_.at(id)->channel->send(encode(protocol::Revoked{}));
}

/// Not a worker's business, and as unknown to it as any act that there is not.
void Supervisor::on_message(ChildId id, const protocol::Report& report) {
  if (id.role == Role::agent) http_.asked(report);
}

void Supervisor::on_message(ChildId id, const protocol::Suicide& suicide) {
  happened(id, core::SaidSuicide{suicide.reason.empty() ? "it gave no reason" : suicide.reason});
}

}  // namespace clusterd::runtime
