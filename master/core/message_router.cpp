#include "master/core/message_router.h"

#include <algorithm>

namespace clusterd::core {
namespace {

template <typename Members, typename Wanted>
void those(const Members& members, std::vector<ChildId>& found, const Wanted& wanted) {
  for (const auto& member : members) {
    if (wanted(member)) found.push_back(member.child);
  }
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
  std::vector<ChildId> found;
  receivers(sender, to, found);
  return found;
}

void MessageRouter::receivers(ChildId sender, const Recipient& to, std::vector<ChildId>& found) {
  using Kind = Recipient::Kind;
  found.clear();
  const auto add_role = [&](Role role) {
    those(members_, found, [=](const Member& member) { return member.child.role == role; });
  };
  switch (to.kind) {
    case Kind::all:
      return those(members_, found, [](const Member&) { return true; });
    case Kind::app:
      return add_role(Role::worker);
    case Kind::agent:
      return add_role(Role::program);
    case Kind::random:
      return pick(found);
    case Kind::unsaid:
      return add_role(sender.role == Role::program ? Role::worker : Role::program);
    case Kind::pid:
      return those(members_, found, [&](const Member& member) { return member.pid == to.number; });
    case Kind::slot:
      return in_slot(to.number, found);
    case Kind::elsewhere:
      break;
  }
}

std::vector<ChildId> MessageRouter::everybody() const {
  std::vector<ChildId> all;
  those(members_, all, [](const Member&) { return true; });
  return all;
}

/// While a replacement comes up there are two in a slot. The one that serves is meant; with none,
/// the newest.
void MessageRouter::in_slot(std::int64_t slot, std::vector<ChildId>& found) const {
  const Member* meant = nullptr;
  for (const Member& member : members_) {
    if (!member.slot || number_of(*member.slot) != slot) continue;
    if (meant == nullptr || !meant->ready) meant = &member;
  }
  if (meant != nullptr) found.push_back(meant->child);
}

void MessageRouter::pick(std::vector<ChildId>& found) {
  those(members_, found,
        [](const Member& member) { return member.ready && member.slot.has_value(); });
  if (found.empty()) return;
  const auto next = std::upper_bound(found.begin(), found.end(), picked_);
  picked_ = next == found.end() ? found.front() : *next;
  found.assign(1, picked_);
}

MessageRouter::Member* MessageRouter::find(ChildId child) {
  const auto is = [&](const Member& member) { return member.child == child; };
  const auto found = std::find_if(members_.begin(), members_.end(), is);
  return found == members_.end() ? nullptr : &*found;
}

}  // namespace clusterd::core
