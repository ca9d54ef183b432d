// Who there is.
#include "master/core/cluster.h"

#include <algorithm>
#include <utility>

namespace clusterd::core {

std::uint32_t Cluster::ready() const {
  return static_cast<std::uint32_t>(
      std::count_if(children_.begin(), children_.end(), [](const auto& entry) {
        return entry.first.role == Role::worker && entry.second.fsm.state() == ChildState::ready;
      }));
}

/// A slot that there is no more has none, though its last worker may still drain.
std::uint32_t Cluster::restarts(SlotId slot) const {
  if (number_of(slot) >= records_.size()) return 0;
  const std::uint32_t starts = records_[number_of(slot)].starts;
  return starts == 0 ? 0 : starts - 1;
}

std::uint32_t Cluster::restarts(Role role) const {
  return pool(role).next < 2 ? 0 : pool(role).next - 2;
}

Note Cluster::note_of(Note::Kind kind, ChildId id, std::string why) const {
  const Child& child = children_.at(id);
  Note note{kind, id, child.slot, {}, child.fsm.planned(), {}, std::move(why)};
  note.generation = child.generation;
  return note;
}

SlotFsm& Cluster::slot_of(Role role, SlotId slot) {
  if (role == Role::worker) return slots_[number_of(slot)];
  return role == Role::program ? program_ : agent_;
}

std::vector<SlotId> Cluster::slots_of(Role role) const {
  if (role != Role::worker) return {SlotId{}};
  std::vector<SlotId> slots;
  for (std::uint32_t number = 0; number < slots_.size(); ++number) slots.push_back(SlotId{number});
  return slots;
}

std::vector<ChildId> Cluster::all(Role role) const {
  std::vector<ChildId> ids;
  for (const auto& [id, child] : children_) {
    if (id.role == role) ids.push_back(id);
  }
  return ids;
}

const std::optional<LastExit>& Cluster::last_exit(SlotId slot) const {
  return records_[number_of(slot)].last_exit;
}

bool Cluster::at_strength(Role role) const {
  const auto serves = [&](const SlotFsm& slot) {
    return slot.incumbent() && children_.at(*slot.incumbent()).fsm.state() == ChildState::ready;
  };
  if (role == Role::agent) return serves(agent_);
  if (role == Role::program) return !has_program() || serves(program_);
  return std::all_of(slots_.begin(), slots_.end(), serves);
}

const char* to_string(ClusterState state) {
  switch (state) {
    case ClusterState::idle:
      return "idle";
    case ClusterState::starting:
      return "starting";
    case ClusterState::running:
      return "running";
    case ClusterState::delaying:
      return "delaying";
    case ClusterState::stopping:
      return "stopping";
    case ClusterState::finished:
      return "finished";
  }
  return "?";
}

}  // namespace clusterd::core
