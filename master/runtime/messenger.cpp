#include "master/runtime/messenger.h"

#include "common/protocol.h"

#include <utility>

namespace clusterd::runtime {

void Messenger::join(ChildId child, std::shared_ptr<Channel> channel, std::int64_t pid,
                     std::optional<SlotId> slot) {
  router_.add(child, pid, slot);
  members_[child].channel = std::move(channel);
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
  if (!members_.contains(sender)) return;  // it has not said hello
  const auto receivers = router_.receivers(sender, envelope.to);
  if (receivers.empty()) return could_not_queue(sender, envelope.action, 1);
  std::string text(line);
  text += '\n';
  const auto message = std::make_shared<const std::string>(std::move(text));
  std::int64_t missed = 0;
  for (const ChildId receiver : receivers) {
    if (!members_.at(receiver).channel->post(message)) ++missed;
  }
  if (missed > 0) could_not_queue(sender, envelope.action, missed);
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
  if (found == members_.end()) return;
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
  if (std::exchange(member.knows, true)) return;
  member.channel->send(encode(protocol::Happened{"cluster-ready"}));
}

}  // namespace clusterd::runtime
