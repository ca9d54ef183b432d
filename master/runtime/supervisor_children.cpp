// How children come and go.
#include "common/log.h"
#include "master/runtime/child_spec.h"
#include "master/runtime/describe.h"
#include "master/runtime/inherited.h"
#include "master/runtime/output_frame.h"
#include "master/runtime/supervisor.h"

#include <sys/socket.h>
#include <utility>

namespace clusterd::runtime {
namespace {

/// Of what app.conf names it is as that says; our own agent speaks ours.
config::Protocol protocol_of(ChildId id, const config::Settings& settings) {
  return id.role == Role::agent ? config::Protocol::native : program_of(settings, id.role).protocol;
}

/// Nobody looks whether the agents' loops turn.
Duration watchdog_of(ChildId id, const config::Settings& settings) {
  return id.role == Role::worker ? settings.worker.heartbeat_timeout : Duration::zero();
}

/// Whose lines they are, of all but this very program.
LogOrigin origin_of(const core::Spawn& spawn, pid_t pid) {
  switch (spawn.child.role) {
    case Role::agent:
      return {LogOrigin::Kind::agent, 0, pid};
    case Role::program:
      return {LogOrigin::Kind::program, 0, pid};
    case Role::worker:
      break;
  }
  return {LogOrigin::Kind::worker, number_of(spawn.slot), pid};
}

Framed framed(const LogOrigin& origin, const config::Log& log) {
  // The agent is this very program, whose lines say so.
  if (origin.kind == LogOrigin::Kind::agent) return Framed::in_json;
  return log.frame ? Framed::always : Framed::never;
}

}  // namespace

void Supervisor::carry_out(const core::Spawn& spawned) {
  auto child = spawn(spawned);
  if (!child) {
    const Error& error = child.error();
    return happened(spawned.child, core::ProcessExited{{core::ExitStatus::Kind::not_started,
                                                        error.code.value(), false, error.what}});
  }
  Dialogue& dialogue = *(*child)->dialogue;
  children_[spawned.child] = std::move(*child);
  watch_exit(spawned.child);
  dialogue.start();
}

Result<std::unique_ptr<Child>> Supervisor::spawn(const core::Spawn& spawn) {
  const ChildId id = spawn.child;
  const config::Settings& settings = settings_of(id);
  const config::Protocol protocol = protocol_of(id, settings);
  int ends[2] = {-1, -1};
  // The child's end blocks, as a simple program expects. Ours is never read or written but with
  // MSG_DONTWAIT.
  if (has_channel(protocol) && ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
    return errno_error("make a channel");
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  auto notify = notifications_.open(id);
  if (!notify) return notify.error();
  os::SpawnSpec spec =
      child_spec(settings, spawn, open_files_, {std::move(*notify), watchdog_of(id, settings)},
                 inherited_by(protocol, generations_, spawn.generation));
  spec.channel = theirs.get();
  auto output = ChildOutput::open(io_, spec, settings.log.capture);
  if (!output) return output.error();
  auto spawned = os::spawn(spec);
  if (!spawned) return spawned.error();

  auto child = std::make_unique<Child>(io_, os::ChildProcess(std::move(*spawned)));
  child->output = std::move(*output);
  const LogOrigin origin = origin_of(spawn, child->process.pid());
  child->output.start(to_log(origin, framed(origin, settings.log), log_tail_));
  child->generation = spawn.generation;
  notifications_.started(id, child->process.pid());
  child->dialogue =
      dialogue_of(protocol, dialogue_needs_,
                  {id, spawn.slot, spawn.generation, child->process, std::move(ours)});
  return child;
}

DialogueNeeds Supervisor::dialogue_needs() {
  return {
      .io = io_,
      .generations = generations_,
      .dispatcher = dispatcher_,
      .messenger = messenger_,
      .http = http_,
      .log = log_service_,
      .event_log = event_log_,
      .node_listeners = node_listeners_,
      .happened = [this](ChildId id, core::ChildEvent event) { happened(id, std::move(event)); },
      .channel_ended = [this](ChildId id) { on_channel_end(id); },
      .recycle = [this](ChildId id,
                        std::string why) { handle(core::RecycleRequested{id, std::move(why)}); },
      .about = [this](ChildId id, std::string name) { return about(id, std::move(name)); },
      .settings_of = [this](ChildId id) -> const config::Settings& { return settings_of(id); },
      .handles = [this](ChildId id,
                        const protocol::Handles& said) { scheduler_.handles(id, said); },
      .ran = [this](ChildId id, const protocol::Ran& said) { scheduler_.ran(id, said); },
      .joined =
          [this](ChildId id) {
            const auto found = cluster_.children().find(id);
            const bool ready = found != cluster_.children().end() &&
                               found->second.fsm.state() == core::ChildState::ready;
            if (!ready) return;
            messenger_.set_ready(id, true);
            takes_runs(id);
          },
      .drains =
          [this](ChildId id) {
            const auto found = cluster_.children().find(id);
            return found != cluster_.children().end() &&
                   found->second.fsm.state() == core::ChildState::draining;
          }};
}

/// What the agent goes by is what is in force. The agent program outlives its generation as long as
/// others do not change what it is told of.
const config::Settings& Supervisor::settings_of(ChildId id) const {
  if (id.role == Role::agent) return settings();
  const Generation generation = cluster_.children().at(id).generation;
  if (id.role == Role::program && !generations_.knows(generation)) return settings();
  return generations_.settings(generation);
}

void Supervisor::carry_out(const core::Forget& action) {
  http_.worker_gone(action.child, dispatcher_.forget(action.child));
  messenger_.leave(action.child);
  scheduler_.gone(action.child);
  notifications_.close(action.child);
  children_.erase(action.child);
  rollouts_.tidy();
}

void Supervisor::watch_exit(ChildId id) {
  children_.at(id)->exit.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                    [this, id](boost::system::error_code error) {
                                      if (!error) on_exit(id);
                                    });
}

void Supervisor::on_exit(ChildId id) {
  const auto found = children_.find(id);
  if (found == children_.end()) return;
  const auto end = found->second->process.reap();
  if (!end) return watch_exit(id);
  // The pidfd is closed. What is opened from here on may get its number, and must not be what is
  // taken out of the loop when the child is forgotten.
  found->second->exit.release();
  // Which of the two is noticed first, its last lines or its end, is chance.
  found->second->dialogue->process_ended();
  happened(id, core::ProcessExited{to_status(*end), found->second->output.finish()});
}

}  // namespace clusterd::runtime
