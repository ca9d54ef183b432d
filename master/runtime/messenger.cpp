#include "master/runtime/messenger.h"

#include "common/node_protocol.h"
#include "common/protocol.h"

#include <algorithm>
#include <unistd.h>
#include <utility>

namespace clusterd::runtime {
namespace {

/// The master itself, and the operator. Nobody's number: children's begin at 1.
constexpr ChildId kOperator{Role::worker, 0};
/// Requests of one sender that one receiver may leave unanswered; the answers to older ones are not
/// passed on.
constexpr std::size_t kMostAsked = 4096;

}  // namespace

void Messenger::join(ChildId child, std::shared_ptr<Channel> channel, std::int64_t pid,
                     std::optional<SlotId> slot, Dialect dialect, bool tells_heard) {
  router_.add(child, pid, slot);
  Member& member = members_[child];
  member.channel = std::move(channel);
  if (tells_heard) member.channel->messages().receiver_tells();
  member.pid = pid;
  member.dialect = dialect;
  member.hears = dialect == Dialect::native ? Hears::events : Hears::nothing;
}

void Messenger::takes_descriptors(ChildId child, Taker taker) {
  const auto found = members_.find(child);
  if (found != members_.end()) found->second.taker = std::move(taker);
}

void Messenger::set_ready(ChildId child, bool ready) {
  router_.set_ready(child, ready);
  const auto found = members_.find(child);
  if (found == members_.end()) return;
  if (ready && cluster_ready_) tell_ready(child, found->second);
  became_ready(child, found->second, ready);
}

void Messenger::leave(ChildId child) {
  router_.remove(child);
  const auto found = members_.find(child);
  if (found == members_.end()) return;
  const Member member = std::move(found->second);
  members_.erase(found);
  for (auto& [id, other] : members_) other.asked.erase(child);
  core::MessageQueue& messages = member.channel->messages();
  while (const auto unsent = messages.drop_oldest()) {
    // Whose runs it had is told of its end by others.
    if (unsent->ticket.is_counted) lost(child, *unsent);
  }
  for (const auto& ticket : messages.take_unheard()) {
    if (!ticket.is_request) could_not_queue(ticket.sender, "", 1, 0);
  }
  for (const auto& [asker, requests] : member.asked) {
    for (const std::int64_t request : requests) is_gone(asker, request);
  }
  for (const ChildId sender : member.pressed) {
    add_untold(sender, [&](Untold& untold) { untold.pressure(member.pid, false); });
  }
  has_left(child, member);
}

void Messenger::route(ChildId sender, const CheckedJson& message, std::string_view line) {
  const auto from = members_.find(sender);
  const auto routing = read_routing(message);
  if (from == members_.end() || !routing) return;  // it has not said hello
  if (from->second.hears == Hears::nothing) will_hear(sender, Hears::egg);
  const auto missed = [&](std::size_t count) {
    could_not_queue(sender, message.string("action").value_or(""), static_cast<std::int64_t>(count),
                    routing->request);
  };
  if (routing->reply != 0) {
    // Nobody answers for another one, or what was not asked.
    if (!was_asked(from->second, *routing)) return missed(1);
    if (routing->to.number == ::getpid()) {
      const auto answer = open_envelope(message);
      if (answer && operator_.answered) operator_.answered(*answer);
      return;
    }
  }
  // Nor does anybody ask for another one: it would hear answers that it did not ask for.
  if (routing->request != 0 && routing->sender_pid != from->second.pid) return missed(1);
  const Posted posted = deliver(sender, *routing, line);
  if (posted.missed > 0) missed(posted.missed);
}

Messenger::Posted Messenger::deliver(ChildId sender, const Routing& routing,
                                     std::string_view line) {
  router_.receivers(sender, routing.to, receivers_);
  if (receivers_.empty()) return {0, 1};
  const bool is_request = routing.request != 0;
  Posted posted;
  std::optional<bool> forged;
  for (const ChildId receiver : receivers_) {
    Member& to = members_.at(receiver);
    // What a worker of Node takes for a line of its master is none for another worker to say; and a
    // native one takes a line that is longer than any of its master's for the end of it.
    if (to.dialect == Dialect::node && !forged) forged = node::is_internal(line);
    const bool fit = to.dialect == Dialect::node ? !*forged : line.size() <= protocol::kLongestLine;
    if (!fit || !post(receiver, to, line, {sender, is_request})) {
      ++posted.missed;
      continue;
    }
    ++posted.queued;
    if (!is_request) continue;
    auto& asked = to.asked[sender];
    if (asked.size() == kMostAsked) asked.pop_front();
    asked.push_back(routing.request);
  }
  return posted;
}

bool Messenger::pass(ChildId sender, const Envelope& envelope, std::string line, UniqueFd fd) {
  router_.receivers(sender, envelope.to, receivers_);
  if (!members_.contains(sender) || receivers_.size() != 1) return false;
  const Taker& taker = members_.at(receivers_.front()).taker;
  return taker && taker(std::move(line), std::move(fd));
}

bool Messenger::post(ChildId receiver, Member& to, std::string_view line,
                     core::MessageQueue::Ticket ticket) {
  if (!core::MessageQueue::may_fit(line, settings_.queue)) return false;
  while (!to.channel->post(line, ticket, settings_.queue)) {
    if (settings_.policy == config::Messages::Policy::error || to.channel->is_gone()) return false;
    const auto oldest = to.channel->messages().drop_oldest();
    if (!oldest) return false;
    lost(receiver, *oldest);
  }
  if (ticket.is_counted) ++queued_;
  press(ticket.sender, to);
  return true;
}

Messenger::Carried Messenger::carried() const {
  Carried carried{queued_, undelivered_, 0};
  for (const auto& [child, member] : members_) {
    carried.waiting_bytes += member.channel->messages().size();
  }
  return carried;
}

/// The first message beyond the mark tells its sender, and so does the first of each other one.
void Messenger::press(ChildId sender, Member& to) {
  if (to.channel->messages().size() <= settings_.queue / 4) return;
  if (std::find(to.pressed.begin(), to.pressed.end(), sender) != to.pressed.end()) return;
  to.pressed.push_back(sender);
  to.channel->tell_when_low(settings_.queue / 8);
  add_untold(sender, [&](Untold& untold) { untold.pressure(to.pid, true); });
}

void Messenger::is_low(ChildId child) {
  const auto found = members_.find(child);
  if (found == members_.end()) return;
  for (const ChildId sender : std::exchange(found->second.pressed, {})) {
    add_untold(sender, [&](Untold& untold) { untold.pressure(found->second.pid, false); });
  }
}

/// What it was asked is answered, whatever becomes of the answer.
bool Messenger::was_asked(Member& by, const Routing& answer) {
  if (answer.to.kind != Recipient::Kind::pid) return false;
  const auto asker = child_of(answer.to.number);
  return asker && forget_asked(by, *asker, answer.reply);
}

std::optional<ChildId> Messenger::child_of(std::int64_t pid) const {
  if (pid == ::getpid()) return kOperator;
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [pid](const auto& member) { return member.second.pid == pid; });
  return found == members_.end() ? std::nullopt : std::optional(found->first);
}

bool Messenger::forget_asked(Member& by, ChildId asker, std::int64_t request) {
  const auto asked = by.asked.find(asker);
  if (asked == by.asked.end()) return false;
  auto& requests = asked->second;
  const auto found = std::find(requests.begin(), requests.end(), request);
  if (found == requests.end()) return false;
  requests.erase(found);
  if (requests.empty()) by.asked.erase(asked);
  return true;
}

Messenger::Posted Messenger::send(const Envelope& envelope) {
  std::string line = seal_envelope(envelope);
  line.pop_back();
  return deliver(kOperator, {envelope.to, envelope.request, 0, ::getpid()}, line);
}

std::size_t Messenger::count(const Recipient& to) {
  return to.kind == Recipient::Kind::random ? 0 : router_.receivers(kOperator, to).size();
}

bool Messenger::tell(ChildId child, const protocol::RunNow& run) {
  const auto found = members_.find(child);
  if (found == members_.end()) return false;
  std::string line = encode(run);
  line.pop_back();
  return post(child, found->second, line, {kOperator, false, false});
}

bool Messenger::tell(ChildId child, const Envelope& envelope) {
  const auto found = members_.find(child);
  if (found == members_.end()) return false;
  std::string line = seal_envelope(envelope);
  line.pop_back();
  return post(child, found->second, line, {kOperator});
}

void Messenger::heard(ChildId child, std::int64_t messages) {
  const auto found = members_.find(child);
  if (found == members_.end()) return;
  found->second.channel->messages().heard(static_cast<std::size_t>(messages));
}

void Messenger::wants_notices(ChildId child, bool tells_heard) {
  will_hear(child, Hears::events);
  const auto found = members_.find(child);
  if (found == members_.end()) return;
  if (tells_heard) found->second.channel->messages().receiver_tells();
}

void Messenger::lost(ChildId receiver, const core::MessageQueue::Lost& message) {
  const auto json = check_json(message.line);
  if (!message.ticket.is_counted) {
    const std::string run = json ? json->string("run").value_or("") : "";
    if (run_dropped_)
      run_dropped_(receiver, {run, "it was dropped, as too much waited for the process"});
    return;
  }
  const std::int64_t request = json ? json->integer("request").value_or(0) : 0;
  const auto by = members_.find(receiver);
  if (request != 0 && by != members_.end()) {
    forget_asked(by->second, message.ticket.sender, request);
  }
  could_not_queue(message.ticket.sender, json ? json->string("action").value_or("") : "", 1,
                  request);
}

void Messenger::could_not_queue(ChildId sender, std::string_view action, std::int64_t count,
                                std::int64_t request) {
  undelivered_ += static_cast<std::uint64_t>(count);
  if (sender == kOperator) {
    if (request != 0 && operator_.lost) operator_.lost(request, "it was not delivered");
    return;
  }
  add_untold(sender, [&](Untold& untold) { untold.undelivered(action, count, request); });
}

void Messenger::is_gone(ChildId asker, std::int64_t request) {
  if (asker == kOperator) {
    if (operator_.lost) operator_.lost(request, "who got it has ended without an answer");
    return;
  }
  add_untold(asker, [&](Untold& untold) { untold.gone(request); });
}

/// Told together at the end of the turn, or when it has read the rest: else a sender that does not
/// read would fill its own channel.
template <typename Add>
void Messenger::add_untold(ChildId sender, const Add& add) {
  const auto found = members_.find(sender);
  if (found == members_.end() || found->second.hears != Hears::events) return;
  add(found->second.untold);
  found->second.channel->look_for_notices();
}

std::string Messenger::notices(ChildId child) {
  const auto found = members_.find(child);
  return found == members_.end() ? "" : found->second.untold.take();
}

}  // namespace clusterd::runtime
