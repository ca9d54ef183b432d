#include "master/runtime/plan_of.h"

#include <unistd.h>

namespace clusterd::runtime {
namespace {

constexpr core::ChildTimeouts kAgent{std::chrono::seconds(10), std::chrono::seconds(2),
                                     std::chrono::seconds(2), false};

}  // namespace

core::Plan plan_of(const config::Settings& settings) {
  core::Plan plan;
  plan.workers = settings.workers;
  plan.worker = {settings.worker.ready_timeout, settings.worker.drain_timeout,
                 settings.worker.kill_timeout,
                 settings.worker.protocol == config::Protocol::listen_fds};
  plan.agent = kAgent;
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
