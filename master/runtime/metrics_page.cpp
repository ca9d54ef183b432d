#include "master/runtime/metrics_page.h"

#include "common/log.h"
#include "common/version.h"
#include "master/os/process_look.h"
#include "master/os/self.h"
#include "master/runtime/describe.h"
#include "master/runtime/exposition.h"
#include "master/runtime/readiness.h"

#include <array>
#include <set>
#include <tuple>
#include <unistd.h>

namespace clusterd::runtime {
namespace {

using Type = Exposition::Type;
using Cause = Counters::Cause;
using End = Counters::End;

/// In the order of the enumerations.
constexpr std::array<const char*, 4> kResults{"ok", "error", "sent", "skipped"};
constexpr std::array<const char*, Counters::kCauses> kCauses{"crash",   "suicide", "hang",
                                                             "recycle", "reload",  "kill"};
constexpr std::array<const char*, Counters::kEnds> kEnds{"exit", "signal", "not_started"};
constexpr std::array<const char*, 5> kStates{"starting", "running", "degraded", "reloading",
                                             "stopping"};

void write_master(Exposition& page, const MetricsSource& source) {
  const std::chrono::duration<double> born = source.started_at.time_since_epoch();
  page.single("process_cpu_seconds_total", Type::counter,
              "User and system time that the master has used.", os::own_cpu_seconds());
  page.single("process_resident_memory_bytes", Type::gauge, "Memory that the master holds.",
              os::resident_bytes(::getpid()).value_or(0));
  page.single("process_start_time_seconds", Type::gauge,
              "When the master started, since the epoch.", born.count());
  page.family("clusterd_build_info", Type::gauge, "Always 1; the version of clusterd.");
  page.sample(true, {{"version", kVersionText}});
}

void write_cluster(Exposition& page, const MetricsSource& source) {
  const core::Cluster& cluster = source.cluster;
  page.family("clusterd_state", Type::gauge, "1 of the state that the cluster is in, else 0.");
  const std::string_view now = state_name(cluster);
  for (const char* state : kStates) page.sample(now == state, {{"state", state}});
  page.single("clusterd_ready", Type::gauge, "What /readyz says: 1 if new clients may come.",
              readiness(cluster).ready);
  page.single("clusterd_generation", Type::gauge, "Number of the generation that is started now.",
              std::uint64_t{number_of(cluster.generation())});
  page.single("clusterd_workers_wanted", Type::gauge, "Slots.",
              std::uint64_t{cluster.slots().size()});
  page.single("clusterd_workers_ready", Type::gauge, "Workers that serve.",
              std::uint64_t{cluster.ready()});
  page.single("clusterd_agent_restarts_total", Type::counter, "Starts of the agent but the first.",
              std::uint64_t{cluster.restarts(Role::agent)});
  if (!cluster.has_program()) return;
  page.single("clusterd_agent_program_up", Type::gauge, "1 if the agent program is ready.",
              cluster.at_strength(Role::program));
  page.single("clusterd_agent_program_restarts_total", Type::counter,
              "Starts of the agent program but the first.",
              std::uint64_t{cluster.restarts(Role::program)});
  page.single("clusterd_agent_program_errors_total", Type::counter,
              "Exceptions that have escaped a handler of the agent program.",
              source.counters.agent_failures());
}

void write_deaths(Exposition& page, const MetricsSource& source) {
  const core::Pool& pool = source.cluster.pool(Role::worker);
  page.single("clusterd_given_up", Type::gauge, "1 while empty slots stay empty but for a probe.",
              pool.gave_up);
  page.single("clusterd_deaths_in_window", Type::gauge, "Deaths that count towards the limit now.",
              std::uint64_t{pool.limiter.in_window(source.now)});
  page.single("clusterd_deaths_limit", Type::gauge, "So many in the window are a give-up.",
              std::uint64_t{pool.limiter.limit()});
  page.family("clusterd_worker_deaths_total", Type::counter,
              "Ends of workers that nobody had asked for, by how.");
  for (std::size_t end = 0; end < kEnds.size(); ++end) {
    page.sample(source.counters.deaths(static_cast<End>(end)), {{"how", kEnds[end]}});
  }
  page.family("clusterd_worker_restarts_total", Type::counter,
              "Starts of a worker in a slot that had one before, by what became of that.");
  for (std::size_t cause = 0; cause < kCauses.size(); ++cause) {
    page.sample(source.counters.restarts(static_cast<Cause>(cause)), {{"reason", kCauses[cause]}});
  }
}

void write_events(Exposition& page, const Counters& counters) {
  page.family("clusterd_reloads_total", Type::counter, "Reloads and restarts that are over.");
  page.sample(counters.reloads(true), {{"verdict", "done"}});
  page.sample(counters.reloads(false), {{"verdict", "failed"}});
  page.single("clusterd_connections_moved_total", Type::counter,
              "Connections that a stalled worker did not take and others got.", counters.stalled());
  page.family("clusterd_events_total", Type::counter, "Events, as of clusterd events.");
  for (const auto& [name, count] : counters.events()) {
    page.sample(count.value(), {{"event", name}});
  }
}

void write_schedules(Exposition& page, const Counters& counters) {
  if (counters.runs().empty()) return;
  page.family("clusterd_schedule_runs_total", Type::counter,
              "Runs of schedules that are over or were left out, by how.");
  for (const auto& [name, runs] : counters.runs()) {
    for (std::size_t result = 0; result < kResults.size(); ++result) {
      page.sample(runs[result].value(), {{"schedule", name}, {"result", kResults[result]}});
    }
  }
}

void write_messages(Exposition& page, const Messenger::Carried& messages) {
  page.single("clusterd_messages_queued_total", Type::counter,
              "Messages that were queued, one for each receiver.", messages.queued);
  page.single("clusterd_messages_undelivered_total", Type::counter,
              "Messages that were not queued, or were lost after that.", messages.undelivered);
  page.single("clusterd_messages_waiting_bytes", Type::gauge,
              "Messages that wait for receivers that do not read.", messages.waiting_bytes);
}

void write_log(Exposition& page) {
  page.single("clusterd_log_dropped_lines_total", Type::counter,
              "Lines of the log that could not be written.", log::dropped());
}

/// Over a reload two listeners may have one name, and one socket, whose queue is theirs together.
void write_listener_gauges(Exposition& page, const MetricsSource& source) {
  std::map<std::string, std::uint64_t> waiting;
  std::set<std::pair<std::string, std::string>> queues;
  std::set<std::tuple<std::string, std::string, const char*>> infos;
  for (const core::ListenerIndex index : source.generations.indices()) {
    const os::Listener& listener = *source.generations.listener(index);
    const config::Listen& settings = source.generations.listen(index);
    const std::uint32_t in_kernel = listener.is_open() ? listener.waiting() : 0;
    waiting[settings.name] += source.dispatcher.waiting(index);
    if (queues.emplace(settings.name, listener.text()).second) waiting[settings.name] += in_kernel;
    infos.emplace(settings.name, listener.text(), policy_name(settings.policy));
  }
  page.family("clusterd_listener_waiting", Type::gauge,
              "Connections that no worker has yet, in the kernel and in the master.");
  for (const auto& [name, count] : waiting) page.sample(count, {{"listener", name}});
  page.family("clusterd_listener_info", Type::gauge, "Always 1; where and how it is served.");
  for (const auto& [name, address, policy] : infos) {
    page.sample(true, {{"listener", name}, {"address", address}, {"policy", policy}});
  }
}

void write_listeners(Exposition& page, const MetricsSource& source) {
  page.family("clusterd_listener_accepted_total", Type::counter, "Connections accepted.");
  for (const auto& [name, listener] : source.counters.listeners()) {
    page.sample(listener.accepted.value(), {{"listener", name}});
  }
  page.family("clusterd_listener_expired_total", Type::counter,
              "Connections reset since nobody was ready within queue_timeout.");
  for (const auto& [name, listener] : source.counters.listeners()) {
    page.sample(listener.expired.value(), {{"listener", name}});
  }
  write_listener_gauges(page, source);
}

struct SlotGauges {
  std::uint64_t active = 0;
  std::uint64_t pending = 0;
  bool up = false;
};

void write_slot_gauges(Exposition& page, const MetricsSource& source) {
  const auto& slots = source.cluster.slots();
  std::vector<SlotGauges> gauges(slots.size());
  for (const auto& [id, child] : source.cluster.children()) {
    if (id.role != Role::worker || number_of(child.slot) >= gauges.size()) continue;
    const LaneStatus lane = source.dispatcher.status(id);
    SlotGauges& slot = gauges[number_of(child.slot)];
    slot.active += lane.active;
    slot.pending += lane.pending;
    slot.up = slot.up || child.fsm.state() == core::ChildState::ready;
  }
  const auto family = [&](const char* name, const char* help, auto value) {
    page.family(name, Type::gauge, help);
    for (std::size_t slot = 0; slot < slots.size(); ++slot) {
      page.sample(value(slot), {{"slot", std::to_string(slot)}});
    }
  };
  family("clusterd_slot_up", "1 if a worker is ready there.",
         [&](std::size_t slot) { return gauges[slot].up; });
  family("clusterd_slot_given_up", "1 if nobody is started there but as a probe.",
         [&](std::size_t slot) { return slots[slot].state() == core::SlotState::given_up; });
  family("clusterd_slot_connections", "Open connections, as its workers say.",
         [&](std::size_t slot) { return gauges[slot].active; });
  family("clusterd_slot_pending", "Connections handed to its workers and not yet taken.",
         [&](std::size_t slot) { return gauges[slot].pending; });
}

void write_slots(Exposition& page, const MetricsSource& source) {
  const auto family = [&](const char* name, const char* help, auto value) {
    page.family(name, Type::counter, help);
    for (const auto& [slot, counts] : source.counters.slots()) {
      page.sample(value(counts).value(), {{"slot", std::to_string(number_of(slot))}});
    }
  };
  using Slot = Counters::Slot;
  family("clusterd_slot_starts_total", "Workers started there.",
         [](const Slot& slot) { return slot.starts; });
  family("clusterd_slot_deaths_total", "Ends there that nobody had asked for.",
         [](const Slot& slot) { return slot.deaths; });
  family("clusterd_slot_taken_total", "Connections that its workers took.",
         [](const Slot& slot) { return slot.taken; });
  family("clusterd_slot_requests_total", "Requests answered, as its workers say.",
         [](const Slot& slot) { return slot.requests; });
  write_slot_gauges(page, source);
}

}  // namespace

std::string metrics_page(const MetricsSource& source) {
  Exposition page;
  write_master(page, source);
  write_cluster(page, source);
  write_deaths(page, source);
  write_events(page, source.counters);
  write_schedules(page, source.counters);
  write_messages(page, source.messages);
  write_log(page);
  write_listeners(page, source);
  write_slots(page, source);
  return page.take();
}

}  // namespace clusterd::runtime
