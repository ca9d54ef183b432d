#include "master/core/message_router.h"

#include <algorithm>

namespace clusterd::core {
namespace {

template <typename Members, typename Wanted>
std::vector<ChildId> those(const Members& members, const Wanted& wanted) {
  std::vector<ChildId> found;
  for (const auto& member : members) {
    if (wanted(member)) found.push_back(member.child);
  }
  return found;
}

}  // namespace

void MessageRouter::add(ChildId child, std::int64_t pid, std::optional<SlotId> slot) {
  const auto after = [&](const Member& member) { return member.child > child; };
  members_.insert(std::find_if(members_.begin(), members_.end(), after),
                  Member{child, pid, slot, false});
}

void MessageRouter::set_ready(ChildId child, bool ready) {
  if (Member* member = find(child)) member->ready = ready;
}

void MessageRouter::remove(ChildId child) {
  std::erase_if(members_, [&](const Member& member) { return member.child == child; });
}

std::vector<ChildId> MessageRouter::receivers(ChildId sender, const Recipient& to) {
  using Kind = Recipient::Kind;
  const auto has_role = [&](Role role) {
    return those(members_, [=](const Member& member) { return member.child.role == role; });
  };
  switch (to.kind) {
    case Kind::all:
      return everybody();
    case Kind::app:
      return has_role(Role::worker);
    case Kind::agent:
      return has_role(Role::agent);
    case Kind::random:
      return pick();
    case Kind::unsaid:
      return has_role(sender.role == Role::agent ? Role::worker : Role::agent);
    case Kind::pid:
      return those(members_, [&](const Member& member) { return member.pid == to.number; });
    case Kind::slot: {
      // While a replacement comes up there are two in a slot. The one that serves is meant; with
      // none, the newest.
      auto in_slot = those(members_, [&](const Member& member) {
        return member.slot && number_of(*member.slot) == to.number;
      });
      const auto serves = [&](ChildId child) { return find(child)->ready; };
      const auto serving = std::find_if(in_slot.begin(), in_slot.end(), serves);
      if (serving != in_slot.end()) return {*serving};
      if (in_slot.size() > 1) in_slot.erase(in_slot.begin(), in_slot.end() - 1);
      return in_slot;
    }
    case Kind::elsewhere:
      break;
  }
  return {};
}

std::vector<ChildId> MessageRouter::everybody() const {
  return those(members_, [](const Member&) { return true; });
}

std::vector<ChildId> MessageRouter::pick() {
  const auto ready =
      those(members_, [](const Member& member) { return member.ready && member.slot.has_value(); });
  if (ready.empty()) return {};
  const auto next = std::upper_bound(ready.begin(), ready.end(), picked_);
  picked_ = next == ready.end() ? ready.front() : *next;
  return {picked_};
}

MessageRouter::Member* MessageRouter::find(ChildId child) {
  const auto is = [&](const Member& member) { return member.child == child; };
  const auto found = std::find_if(members_.begin(), members_.end(), is);
  return found == members_.end() ? nullptr : &*found;
}

}  // namespace clusterd::core
