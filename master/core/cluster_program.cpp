// The agent program: there is one at most, at any time. What becomes of it when its settings
// change.
#include "master/core/cluster_step.h"

namespace clusterd::core {

/// Before a rollout is proved it is the one that was there: a reload that fails by its workers is
/// none of its business.
std::uint32_t Cluster::wanted_program() const {
  return rollout_ && !rollout_->proved ? rollout_->before.program : plan_.program;
}

/// The one with the new settings cannot be tried beside the old one. So that leaves first, and if
/// the new one fails, the old one is started again.
void Cluster::renew_program(Step& step) {
  const std::uint32_t wanted = wanted_program();
  Pool& pool = pool_of(Role::program);
  if (wanted != 0) {
    obey(step, Role::program, {}, program_.open());
  } else {
    program_.close();
    pool.gave_up = false;
    pool.probe.reset();
  }
  if (const auto incumbent = program_.incumbent()) {
    const Child& child = children_.at(*incumbent);
    if (child.program == wanted || child.fsm.planned()) return;
    return ask_to_leave(step, *incumbent, "[agent] has changed");
  }
  // What the last one died of, other settings may have overcome.
  if (wanted == 0 || last_program_ == wanted) return;
  obey(step, Role::program, {}, program_.try_again());
  if (pool.gave_up && !pool.probe) pool.probe = program_.incumbent();
}

/// Nothing of it is left to be waited for before a rollout is done.
bool Cluster::program_passed(TimePoint now) const {
  if (plan_.program == rollout_->before.program || plan_.program == 0) return true;
  const auto incumbent = program_.incumbent();
  if (!incumbent) return false;
  const Child& child = children_.at(*incumbent);
  return child.program == plan_.program && child.fsm.state() == ChildState::ready &&
         now - child.ready_at >= plan_.settle;
}

}  // namespace clusterd::core
