#include "master/runtime/messenger.h"

#include "common/node_protocol.h"
#include "common/protocol.h"

#include <utility>

namespace clusterd::runtime {

void Messenger::join(ChildId child, std::shared_ptr<Channel> channel, std::int64_t pid,
                     std::optional<SlotId> slot, Dialect dialect) {
  router_.add(child, pid, slot);
  Member& member = members_[child];
  member.channel = std::move(channel);
  member.pid = pid;
  member.dialect = dialect;
}

void Messenger::takes_descriptors(ChildId child, Taker taker) {
  const auto found = members_.find(child);
  if (found != members_.end()) found->second.taker = std::move(taker);
}

void Messenger::set_ready(ChildId child, bool ready) {
  router_.set_ready(child, ready);
  const auto found = members_.find(child);
  if (ready && cluster_ready_ && found != members_.end()) tell_ready(found->second);
}

void Messenger::leave(ChildId child) {
  router_.remove(child);
  members_.erase(child);
}

void Messenger::route(ChildId sender, const Envelope& envelope, std::string_view line) {
  const auto from = members_.find(sender);
  if (from == members_.end()) return;  // it has not said hello
  if (from->second.dialect == Dialect::node) from->second.speaks_egg = true;
  const auto receivers = router_.receivers(sender, envelope.to);
  if (receivers.empty()) return could_not_queue(sender, envelope.action, 1);
  std::string text(line);
  text += '\n';
  const auto message = std::make_shared<const std::string>(std::move(text));
  std::int64_t missed = 0;
  std::optional<bool> forged;
  for (const ChildId receiver : receivers) {
    const Member& to = members_.at(receiver);
    // What a worker of Node takes for a line of its master is none for another worker to say.
    if (to.dialect == Dialect::node && !forged) forged = node::is_internal(line);
    const bool fit = to.dialect != Dialect::node || !*forged;
    if (!fit || !to.channel->post(message)) ++missed;
  }
  if (missed > 0) could_not_queue(sender, envelope.action, missed);
}

bool Messenger::pass(ChildId sender, const Envelope& envelope, std::string line, UniqueFd fd) {
  const auto receivers = router_.receivers(sender, envelope.to);
  if (!members_.contains(sender) || receivers.size() != 1) return false;
  const Taker& taker = members_.at(receivers.front()).taker;
  return taker && taker(std::move(line), std::move(fd));
}

void Messenger::cluster_is_ready() {
  cluster_ready_ = true;
  for (const ChildId child : router_.everybody()) {
    // Telling one can end it, if it does not read.
    if (const auto found = members_.find(child); found != members_.end()) tell_ready(found->second);
  }
}

void Messenger::all_sent(ChildId child) {
  const auto found = members_.find(child);
  if (found == members_.end() || !std::exchange(found->second.told, false)) return;
  if (found->second.undelivered.count > 0) could_not_queue(child, {}, 0);
}

void Messenger::could_not_queue(ChildId sender, const std::string& action, std::int64_t count) {
  const auto found = members_.find(sender);
  if (found == members_.end() || found->second.dialect == Dialect::node) return;
  Member& member = found->second;
  Undelivered& sum = member.undelivered;
  if (sum.count == 0) {
    sum.action = action;
  } else if (count > 0 && sum.action != action) {
    sum.action.clear();
  }
  sum.count += count;
  if (std::exchange(member.told, true)) return;
  const Undelivered now = std::exchange(sum, {});
  member.channel->send(encode(protocol::Undelivered{now.action, now.count}));
}

void Messenger::tell_ready(Member& member) {
  if (member.dialect == Dialect::node) return tell_egg(member);
  if (std::exchange(member.knows, true)) return;
  member.channel->send(encode(protocol::Happened{"cluster-ready"}));
}

/// As Egg's own master: first who there is to talk to, and then that all are ready.
void Messenger::tell_egg(Member& member) const {
  if (!member.speaks_egg || std::exchange(member.knows, true)) return;
  std::string pids;
  for (const auto& [child, other] : members_) {
    if (child.role != Role::agent) continue;
    pids += (pids.empty() ? "" : ",") + std::to_string(other.pid);
  }
  const Recipient to{Recipient::Kind::app, 0};
  for (const Envelope& envelope :
       {Envelope{"egg-pids", to, "[" + pids + "]", 0}, Envelope{"egg-ready", to, "{}", 0}}) {
    (void)member.channel->post(std::make_shared<const std::string>(seal_envelope(envelope)));
  }
}

}  // namespace clusterd::runtime
