// What the agent program and the workers hear of each other. Programs of Egg hear what Egg's own
// master says: who there is to talk to, and that an agent is there again.
#include "common/protocol.h"
#include "master/runtime/messenger.h"

#include <utility>

namespace clusterd::runtime {
void Messenger::became_ready(ChildId child, Member& member, bool ready) {
  const bool first = ready && !std::exchange(member.was_ready, true);
  member.ready = ready;
  if (child.role == Role::worker) return tell_agent_of_workers();
  if (child.role == Role::program && first) tell_workers_of_agent("agent-start");
}

void Messenger::has_left(ChildId child, const Member& member) {
  if (child.role == Role::worker && member.ready) tell_agent_of_workers();
  if (child.role == Role::program && member.was_ready) tell_workers_of_agent("agent-exit");
}

/// One that does not read so much as this has no use for it.
void Messenger::post_egg(ChildId child, const char* action, const std::string& data) {
  (void)tell(child, Envelope{action, {Recipient::Kind::app, 0}, data, 0});
}

void Messenger::tell_egg(ChildId child, Member& member) {
  if (!member.speaks_egg || std::exchange(member.knows, true)) return;
  const Role other = child.role == Role::program ? Role::worker : Role::program;
  post_egg(child, "egg-pids", ready_pids(other));
  post_egg(child, "egg-ready", "{}");
}

void Messenger::tell_workers_of_agent(const char* event) {
  const std::string pids = ready_pids(Role::program);
  for (const ChildId child : router_.everybody()) {
    // Telling one can end it, if it does not read.
    const auto found = members_.find(child);
    if (child.role != Role::worker || found == members_.end()) continue;
    Member& worker = found->second;
    if (worker.dialect == Dialect::native) {
      worker.channel->send(encode(protocol::Happened{event}));
    } else if (worker.speaks_egg) {
      post_egg(child, "egg-pids", pids);
      if (!pids.ends_with("[]")) post_egg(child, event, "null");
    }
  }
}

void Messenger::tell_agent_of_workers() {
  for (auto& [child, member] : members_) {
    if (child.role != Role::program || !member.speaks_egg || !member.ready) continue;
    return post_egg(child, "egg-pids", ready_pids(Role::worker));
  }
}

/// As Egg's own master does, to those of Node that have spoken as its programs.
void Messenger::log_reload() {
  for (const ChildId child : router_.everybody()) {
    const auto found = members_.find(child);
    if (found == members_.end()) continue;
    Member& member = found->second;
    if (member.dialect == Dialect::native) {
      member.channel->send(encode(protocol::Happened{"log-reload"}));
    } else if (member.speaks_egg) {
      post_egg(child, "log-reload", "null");
    }
  }
}

/// As a JSON array.
std::string Messenger::ready_pids(Role role) const {
  std::string pids;
  for (const auto& [child, member] : members_) {
    if (child.role != role || !member.ready) continue;
    pids += (pids.empty() ? "" : ",") + std::to_string(member.pid);
  }
  return "[" + pids + "]";
}

}  // namespace clusterd::runtime
