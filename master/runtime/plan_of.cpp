#include "master/runtime/plan_of.h"

#include <algorithm>
#include <unistd.h>

namespace clusterd::runtime {
namespace {

constexpr core::ChildTimeouts kAgent{std::chrono::seconds(10), std::chrono::seconds(2),
                                     std::chrono::seconds(2), false};

/// Its workers accept for themselves, and nobody sees when they begin.
bool serves_at_once(const config::Settings& settings) {
  using config::Protocol;
  const config::Worker& worker = settings.worker;
  if (worker.protocol == Protocol::listen_fds) return true;
  if (worker.protocol != Protocol::node && worker.protocol != Protocol::node_fork) return false;
  return worker.policy == config::Policy::accept_race ||
         std::any_of(settings.listen.begin(), settings.listen.end(), [](const auto& listen) {
           return listen.policy == config::Policy::accept_race ||
                  listen.kind == config::Listen::Kind::udp;
         });
}

}  // namespace

core::Plan plan_of(const config::Settings& settings) {
  core::Plan plan;
  plan.workers = settings.workers;
  plan.worker = {settings.worker.ready_timeout, settings.worker.drain_timeout,
                 settings.worker.kill_timeout, serves_at_once(settings)};
  plan.agent = kAgent;
  const config::Worker& program = settings.agent.program;
  plan.program = settings.agent.is_set() ? 1 : 0;
  plan.program_timeouts = {program.ready_timeout, program.drain_timeout, program.kill_timeout,
                           false};
  plan.backoff_first = settings.restart.backoff_first;
  plan.backoff_max = settings.restart.backoff_max;
  plan.death_limit = settings.restart.limit;
  plan.death_window = settings.restart.window;
  plan.giveup_retry = settings.restart.giveup_retry;
  plan.exit_on_giveup = settings.restart.on_giveup == config::OnGiveup::exit;
  plan.surge = settings.reload.surge;
  plan.max_unavailable = settings.reload.max_unavailable;
  plan.max_generations = settings.reload.max_generations;
  plan.settle = settings.reload.settle;
  plan.stop_delay = settings.stop_delay;
  plan.seed = static_cast<std::uint32_t>(::getpid());
  return plan;
}

}  // namespace clusterd::runtime
