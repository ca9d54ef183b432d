// Workers that are to be replaced while they serve: the successor is started first, and no more at
// once than the budget allows, whatever the reason is.
#include "master/core/cluster_step.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace clusterd::core {
namespace {

bool is_alive_and_well(ChildState state) {
  return state == ChildState::spawned || state == ChildState::online || state == ChildState::ready;
}

}  // namespace

void Cluster::on(Step& step, const RecycleRequested& event) {
  (void)step;
  const auto found = children_.find(event.child);
  if (found == children_.end() || event.child.role != Role::worker) return;
  if (found->second.recycle.empty()) found->second.recycle = event.why;
}

void Cluster::on(Step& step, const ScaleRequested& event) {
  if (state_ > ClusterState::running) return;
  if (rollout_) rollout_->before.workers = event.workers;
  scale(step, event.workers);
}

void Cluster::renew(Step& step) {
  if (state_ != ClusterState::running) return;
  for (const SlotId slot : slots_of(Role::worker)) {
    const auto challenger = slot_of(Role::worker, slot).challenger();
    if (!challenger || children_.at(*challenger).fsm.state() != ChildState::ready) continue;
    if (rollout_ && !rollout_->proved && on_trial(step.now, *challenger)) continue;
    promote(step, slot);
  }
  if (pool(Role::worker).gave_up && !rollout_) return;  // nobody is taken away who serves
  RenewalBudget budget = renewal_budget(step.now);
  for (const SlotId slot : slots_of(Role::worker)) {
    if (budget.trials <= 0) return;
    renew_one(step, slot, budget);
  }
}

/// What is begun for one slot, the next ones do without.
void Cluster::renew_one(Step& step, SlotId slot, RenewalBudget& budget) {
  SlotFsm& fsm = slot_of(Role::worker, slot);
  if (!fsm.incumbent()) {
    // What the last worker here died of, the new generation may have overcome.
    const bool waits = fsm.state() == SlotState::backing_off || fsm.state() == SlotState::given_up;
    if (!rollout_ || !waits) return;
    --budget.trials;
    return fill(step, slot);
  }
  if (!needs_renewal(fsm) || !fsm.may_be_challenged()) return;
  if (budget.beside > 0) {
    --budget.beside;
    --budget.trials;
    challenge(step, slot);
  } else if (budget.missing > 0) {
    if (serves(step.now, fsm)) --budget.missing;  // else its slot is counted already
    --budget.trials;
    replace_before_ready(step, slot);
  }
}

/// What is left of it. A generation that has not proved itself is tried by as many as may be
/// replaced at once.
RenewalBudget Cluster::renewal_budget(TimePoint now) const {
  RenewalBudget budget{plan_.surge, plan_.max_unavailable,
                       std::numeric_limits<std::int64_t>::max()};
  for (const SlotFsm& slot : slots_) {
    if (slot.challenger()) --budget.beside;
    if (!serves(now, slot)) --budget.missing;
  }
  if (!rollout_ || rollout_->proved) return budget;
  budget.trials = std::max<std::int64_t>(1, std::int64_t{plan_.surge} + plan_.max_unavailable);
  for (const auto& [id, child] : children_) {
    if (id.role == Role::worker && child.generation == generation_) --budget.trials;
  }
  return budget;
}

bool Cluster::needs_renewal(const SlotFsm& slot) const {
  if (!slot.incumbent()) return false;
  const Child& child = children_.at(*slot.incumbent());
  if (!is_alive_and_well(child.fsm.state())) return false;  // its end brings another anyway
  return child.generation != generation_ ||
         (!child.recycle.empty() && child.fsm.state() == ChildState::ready);
}

/// An incumbent that clients can be left to.
bool Cluster::serves(TimePoint now, const SlotFsm& slot) const {
  if (!slot.incumbent()) return false;
  const auto& child = children_.at(*slot.incumbent());
  if (child.fsm.state() != ChildState::ready) return false;
  return !rollout_ || rollout_->proved || !on_trial(now, *slot.incumbent());
}

void Cluster::fill(Step& step, SlotId slot) {
  SlotFsm& fsm = slot_of(Role::worker, slot);
  (void)fsm.try_again();
  fsm.occupied(next_child(Role::worker));
  const ChildId id = fork(step, Role::worker, slot, generation_);
  Pool& pool = pool_of(Role::worker);
  if (pool.gave_up && !pool.probe) pool.probe = id;
}

void Cluster::challenge(Step& step, SlotId slot) {
  slot_of(Role::worker, slot).challenged_by(next_child(Role::worker));
  (void)fork(step, Role::worker, slot, generation_);
}

void Cluster::replace_before_ready(Step& step, SlotId slot) {
  SlotFsm& fsm = slot_of(Role::worker, slot);
  const ChildId before = *fsm.incumbent();
  (void)fsm.vacated_as_planned();
  fsm.occupied(next_child(Role::worker));
  (void)fork(step, Role::worker, slot, generation_);
  ask_to_leave(step, before, why_replaced(before));
}

void Cluster::promote(Step& step, SlotId slot) {
  const ChildId before = slot_of(Role::worker, slot).promote();
  ++records_[number_of(slot)].starts;
  ask_to_leave(step, before, why_replaced(before));
}

std::string Cluster::why_replaced(ChildId id) const {
  const Child& child = children_.at(id);
  if (!child.recycle.empty()) return child.recycle;
  return "generation " + std::to_string(number_of(generation_)) + " takes its place";
}

void Cluster::ask_to_leave(Step& step, ChildId id, std::string because) {
  Child& child = children_.at(id);
  if (child.because.empty()) child.because = std::move(because);
  drive(step, id, AskedToLeave{});
}

/// The highest slots go first, and their numbers are used again.
void Cluster::scale(Step& step, std::uint32_t workers) {
  workers = std::max(1U, workers);
  plan_.workers = workers;
  const auto before = static_cast<std::uint32_t>(slots_.size());
  if (workers == before) return;
  const std::string what = std::to_string(before) + " -> " + std::to_string(workers);
  step.note({Note::Kind::scale, {}, {}, {}, true, {}, what});
  adopt(plan_);
  while (slots_.size() > workers) {
    SlotFsm slot = slots_.back();
    slots_.pop_back();
    records_.pop_back();
    for (const auto child : {slot.challenger(), slot.incumbent()}) {
      // One whose end is why a rollout goes back may be in the slot still.
      if (!child || !children_.contains(*child)) continue;
      ask_to_leave(step, *child, "scaled down to " + std::to_string(workers));
    }
  }
  while (slots_.size() < workers) {
    slots_.emplace_back(RestartDelay(plan_.backoff_first, plan_.backoff_max));
    records_.emplace_back();
    const SlotId slot{static_cast<std::uint32_t>(slots_.size() - 1)};
    if (state_ == ClusterState::running) obey(step, Role::worker, slot, slots_.back().open());
  }
  forget_giveup(step);
  if (state_ == ClusterState::starting) continue_start(step);
}

bool Cluster::settled() const {
  return can_roll_out() && at_strength(Role::worker) &&
         std::none_of(slots_.begin(), slots_.end(), [&](const SlotFsm& slot) {
           return slot.challenger() || needs_renewal(slot);
         });
}

}  // namespace clusterd::core
