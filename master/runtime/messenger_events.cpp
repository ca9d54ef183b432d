// What programs hear of the cluster and of each other. Those of Egg, and others of Node that send
// messages, hear what Egg's own master says: who there is to talk to, and that an agent is there
// again. All others hear events.
#include "common/protocol.h"
#include "master/runtime/messenger.h"

#include <utility>

namespace clusterd::runtime {

/// It has said that it listens: of what has happened by now it hears at once.
void Messenger::will_hear(ChildId child, Hears how) {
  const auto found = members_.find(child);
  if (found == members_.end() || found->second.hears >= how) return;
  found->second.hears = how;
  if (cluster_ready_ && found->second.ready) tell_ready(child, found->second);
}

void Messenger::cluster_is_ready() {
  cluster_ready_ = true;
  for (const ChildId child : router_.everybody()) {
    // Telling one can end it, if it does not read.
    const auto found = members_.find(child);
    if (found != members_.end()) tell_ready(child, found->second);
  }
}

void Messenger::tell_ready(ChildId child, Member& member) {
  if (member.hears == Hears::nothing || std::exchange(member.knows, true)) return;
  if (member.hears == Hears::events) return happened(child, member, "cluster-ready");
  const Role other = child.role == Role::program ? Role::worker : Role::program;
  post_egg(child, "egg-pids", ready_pids(other));
  post_egg(child, "egg-ready", "{}");
}

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

void Messenger::happened(ChildId child, Member& member, const char* event) {
  if (member.hears == Hears::events) {
    member.channel->send(encode(protocol::Happened{event}));
  } else if (member.hears == Hears::egg) {
    post_egg(child, event, "null");
  }
}

/// One that does not read so much as this has no use for it.
void Messenger::post_egg(ChildId child, const char* action, const std::string& data) {
  (void)tell(child, Envelope{action, {Recipient::Kind::app, 0}, data, 0});
}

void Messenger::tell_workers_of_agent(const char* event) {
  const std::string pids = ready_pids(Role::program);
  const bool has_ended = pids.ends_with("[]");
  for (const ChildId child : router_.everybody()) {
    const auto found = members_.find(child);
    if (child.role != Role::worker || found == members_.end()) continue;
    Member& worker = found->second;
    const bool egg = worker.hears == Hears::egg;
    if (egg) post_egg(child, "egg-pids", pids);
    if (!egg || !has_ended) happened(child, worker, event);
  }
}

void Messenger::tell_agent_of_workers() {
  for (auto& [child, member] : members_) {
    if (child.role != Role::program || member.hears != Hears::egg || !member.ready) continue;
    return post_egg(child, "egg-pids", ready_pids(Role::worker));
  }
}

void Messenger::log_reload() {
  for (const ChildId child : router_.everybody()) {
    const auto found = members_.find(child);
    if (found != members_.end()) happened(child, found->second, "log-reload");
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
