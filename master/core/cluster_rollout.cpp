// A new generation: on trial, proved, done; or failed, and all goes back to what was before.
#include "master/core/cluster_step.h"

#include <algorithm>
#include <set>
#include <utility>

namespace clusterd::core {

Generation Cluster::next_generation() const { return Generation{number_of(last_generation_) + 1}; }

void Cluster::on(Step& step, const RolloutRequested& event) {
  if (!can_roll_out()) return;
  rollout_ = Rollout{generation_, next_generation(), plan_, step.now};
  rollout_->before.workers = static_cast<std::uint32_t>(slots_.size());
  make_room_for_a_generation(step);
  generation_ = last_generation_ = rollout_->to;
  adopt(event.plan);
  // What the last challengers died of, this generation may have overcome.
  for (SlotFsm& slot : slots_) slot.may_try_at_once();
}

/// The oldest that still drain are not waited for any longer.
void Cluster::make_room_for_a_generation(Step& step) {
  std::set<Generation> alive;
  for (const ChildId id : all(Role::worker)) alive.insert(children_.at(id).generation);
  // Those that failed are younger than the one that serves.
  const bool serves = alive.erase(generation_) > 0;
  while (!alive.empty() && alive.size() + (serves ? 1 : 0) >= plan_.max_generations) {
    const Generation oldest = *alive.begin();
    alive.erase(alive.begin());
    for (const ChildId id : all(Role::worker)) {
      if (children_.at(id).generation != oldest) continue;
      drive(step, id, CutShort{"more than max_generations would be alive"});
    }
  }
}

void Cluster::adopt(const Plan& plan) {
  plan_ = plan;
  agent_.set_delay(plan.backoff_first, plan.backoff_max);
  program_.set_delay(plan.backoff_first, plan.backoff_max);
  for (SlotFsm& slot : slots_) slot.set_delay(plan.backoff_first, plan.backoff_max);
  const std::uint32_t limit =
      plan.death_limit != 0 ? plan.death_limit : default_death_limit(plan.workers);
  for (Pool& pool : pools_) pool.limiter.set(limit, plan.death_window);
}

void Cluster::judge_rollout(Step& step) {
  if (!rollout_ || state_ != ClusterState::running) return;
  const auto passed = [&](const Child& child) {
    return child.generation == rollout_->to && child.fsm.state() == ChildState::ready &&
           step.now - child.ready_at >= plan_.settle;
  };
  if (!rollout_->proved) {
    const bool any = std::any_of(children_.begin(), children_.end(), [&](const auto& entry) {
      return entry.first.role == Role::worker && passed(entry.second);
    });
    if (!any) return;
    rollout_->proved = true;
    step.actions.emplace_back(RolloutCommitted{rollout_->to});
    scale(step, plan_.workers);
  }
  const bool done = std::all_of(slots_.begin(), slots_.end(), [&](const SlotFsm& slot) {
    return slot.incumbent() && !slot.challenger() && passed(children_.at(*slot.incumbent()));
  });
  if (!done || !program_passed(step.now)) return;
  RolloutEnded ended;
  ended.done = true;
  report_rollout(step, std::move(ended));
  rollout_.reset();
}

/// A stop does.
void Cluster::end_rollout(Step& step) {
  RolloutEnded ended;
  ended.why = "the cluster stops";
  fail_rollout(step, std::move(ended));
}

void Cluster::fail_rollout(Step& step, RolloutEnded ended) {
  if (!rollout_) return;
  const Rollout failed = *rollout_;
  report_rollout(step, std::move(ended));
  rollout_.reset();
  generation_ = failed.from;
  adopt(failed.before);
  if (state_ == ClusterState::running) scale(step, failed.before.workers);
  for (SlotFsm& slot : slots_) {
    const auto challenger = slot.challenger();
    // One that has just died is its slot's to count.
    if (!challenger || !children_.contains(*challenger)) continue;
    if (children_.at(*challenger).generation != failed.to) continue;
    slot.drop_challenger();
    ask_to_leave(step, *challenger, "its generation has failed");
  }
}

void Cluster::report_rollout(Step& step, RolloutEnded ended) {
  ended.generation = rollout_->to;
  ended.took = step.now - rollout_->began;
  Note note{Note::Kind::reload, ended.child, ended.slot, ended.status,
            ended.done,         ended.took,  ended.why};
  note.last_words = ended.last_words;
  note.generation = rollout_->to;
  note.exited = ended.exited;
  step.note(std::move(note));
  step.actions.emplace_back(std::move(ended));
}

RolloutEnded Cluster::blame(ChildId id) const {
  const Child& child = children_.at(id);
  RolloutEnded ended;
  ended.child = id;
  ended.slot = child.slot;
  ended.why = child.because.empty() ? child.why : child.because;
  ended.was_ready = child.fsm.was_ready();
  return ended;
}

bool Cluster::on_trial(TimePoint now, ChildId id) const {
  if (!rollout_ || id.role == Role::agent) return false;
  const Child& child = children_.at(id);
  if (child.generation != rollout_->to || child.fsm.planned()) return false;
  // One that is as before has nothing to prove.
  if (id.role == Role::program && child.program == rollout_->before.program) return false;
  return !child.fsm.was_ready() || now - child.ready_at < plan_.settle;
}

/// Before the new one is proved, who dies is replaced by what is known to work.
Generation Cluster::generation_to_spawn() const {
  return rollout_ && !rollout_->proved ? rollout_->from : generation_;
}

}  // namespace clusterd::core
