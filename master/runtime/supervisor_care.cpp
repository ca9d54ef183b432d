// Workers that are ready are looked after: who hangs, and who is to be replaced in time.
#include "common/log.h"
#include "master/runtime/supervisor.h"

namespace clusterd::runtime {

Health::Events Supervisor::health_events() {
  return {
      .sample =
          [this](ChildId id) {
            const Dispatcher::LaneStatus lane = dispatcher_.status(id);
            return Health::Sample{lane.turns, lane.requests, lane.active, lane.took_at};
          },
      .ping =
          [this](ChildId id) {
            const auto found = children_.find(id);
            if (found != children_.end()) found->second->dialogue->ping();
          },
      .hung = [this](ChildId id, const std::string& evidence,
                     std::string why) { on_hang(id, evidence, std::move(why)); },
      .traced = [](ChildId id, const std::string& why) { log::warn(to_string(id) + ": " + why); },
      .recycle = [this](ChildId id,
                        std::string why) { handle(core::RecycleRequested{id, std::move(why)}); }};
}

void Supervisor::look_after(ChildId id) {
  if (id.role != Role::worker) return;
  const Child& child = *children_.at(id);
  const config::Worker& worker = settings_of(id).worker;
  health_.watch(id, {.pid = child.process.pid(),
                     .birth = cluster_.children().at(id).spawned_at,
                     .counts_turns = child.dialogue->counts_turns(),
                     .heartbeat_timeout = worker.heartbeat_timeout,
                     .recycle = {worker.recycle.requests, worker.recycle.lifetime,
                                 worker.recycle.memory_bytes, worker.recycle.jitter}});
}

void Supervisor::on_hang(ChildId id, const std::string& evidence, std::string why) {
  std::size_t begin = 0;
  while (begin < evidence.size()) {
    const std::size_t end = std::min(evidence.find('\n', begin), evidence.size());
    log::error(to_string(id) + ": " + evidence.substr(begin, end - begin));
    begin = end + 1;
  }
  happened(id, core::Hung{std::move(why)});
}

void Supervisor::on_notice(ChildId id, const notify::Said& said) {
  if (said.watchdog) health_.said_watchdog(id);
  if (said.watchdog_trigger) health_.said_trigger(id);
  const auto found = children_.find(id);
  if (found != children_.end()) found->second->dialogue->on_notice(said);
}

}  // namespace clusterd::runtime
