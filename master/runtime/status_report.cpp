#include "master/runtime/status_report.h"

#include "common/json.h"
#include "common/version.h"
#include "master/runtime/describe.h"
#include "master/runtime/status_self.h"

#include <algorithm>
#include <unistd.h>

namespace clusterd::runtime {
namespace {

using core::ChildState;

/// On its way out is one state to the outside, whatever gets it there.
const char* state_name(ChildState state) {
  switch (state) {
    case ChildState::spawned:
    case ChildState::online:
    case ChildState::ready:
      return core::to_string(state);
    case ChildState::draining:
    case ChildState::lost:
    case ChildState::terminating:
    case ChildState::killing:
    case ChildState::exited:
      break;
  }
  return core::to_string(ChildState::draining);
}

void write_processes(JsonWriter& json, const StatusSource& source) {
  json.key("master").begin_object();
  json.member("pid", static_cast<std::int64_t>(::getpid()))
      .member("version", kVersionText)
      .member("uptime_s", seconds(source.now - source.started_at))
      .end_object();
  json.key("agent");
  const auto agent = source.cluster.agent_slot().incumbent();
  if (!agent) {
    json.null();
    return;
  }
  json.begin_object()
      .member("pid", static_cast<std::int64_t>(source.pids.at(*agent)))
      .member("state", state_name(source.cluster.children().at(*agent).fsm.state()))
      .member("restarts", source.cluster.restarts(Role::agent))
      .end_object();
}

/// Null if there is to be none. One that is to be and is not has no pid, and a slot's state.
void write_agent_program(JsonWriter& json, const StatusSource& source) {
  json.key("agent_program");
  const core::SlotFsm& slot = source.cluster.program_slot();
  const auto id = slot.incumbent();
  const bool alive = id && source.pids.contains(*id);
  if (!alive && !source.cluster.has_program()) {
    json.null();
    return;
  }
  json.begin_object().member("restarts", source.cluster.restarts(Role::program));
  if (alive) {
    const core::Cluster::Child& child = source.cluster.children().at(*id);
    json.member("pid", static_cast<std::int64_t>(source.pids.at(*id)))
        .member("state", state_name(child.fsm.state()))
        .member("uptime_s", seconds(source.now - child.spawned_at));
  } else {
    json.key("pid").null().member("state", core::to_string(slot.state()));
    json.key("uptime_s").null();
  }
  json.end_object();
}

/// In force, or on its way to be: else nobody new is served from it.
const char* listener_state(const StatusSource& source, core::ListenerIndex index) {
  const auto has = [&](Generation generation) { return source.generations.has(generation, index); };
  const auto& rollout = source.cluster.rollout();
  const bool wanted = has(source.in_force) || (rollout && has(rollout->to));
  return wanted && !source.dispatcher.is_suspended(index) ? "open" : "closing";
}

void write_listeners(JsonWriter& json, const StatusSource& source) {
  json.key("listeners").begin_array();
  for (const core::ListenerIndex index : source.generations.indices()) {
    const os::Listener& listener = *source.generations.listener(index);
    const config::Listen& settings = source.generations.listen(index);
    const std::uint32_t in_kernel = listener.is_open() ? listener.waiting() : 0;
    json.begin_object()
        .member("name", settings.name)
        .member("address", listener.text())
        .member("policy", policy_name(settings.policy))
        .member("state", listener_state(source, index))
        .member("accepted", source.dispatcher.accepted(index))
        .member("waiting", source.dispatcher.waiting(index) + in_kernel)
        .member("expired", source.dispatcher.expired(index))
        .end_object();
  }
  json.end_array();
}

/// What is waited for: its connections, its exit (a signal was sent, or it has left the channel),
/// or what KILL does. Nothing for who is not on its way out.
const char* step_name(ChildState state) {
  switch (state) {
    case ChildState::draining:
      return "connections";
    case ChildState::lost:
    case ChildState::terminating:
      return "exit";
    case ChildState::killing:
      return "kill";
    case ChildState::spawned:
    case ChildState::online:
    case ChildState::ready:
    case ChildState::exited:
      break;
  }
  return nullptr;
}

void write_drain(JsonWriter& json, const core::Cluster::Child& child, std::uint32_t connections,
                 TimePoint now) {
  const ChildState state = child.fsm.state();
  json.key("drain");
  const char* step = step_name(state);
  if (step == nullptr) {
    json.null();
    return;
  }
  json.begin_object().member("step", step).member("connections", connections).key("deadline_s");
  if (state == ChildState::killing) {
    json.null();
  } else {
    json.value(std::max(0.0, seconds(child.fsm.deadline() - now)));
  }
  json.member("reason", child.because.empty() ? child.why : child.because).end_object();
}

void write_worker(JsonWriter& json, const StatusSource& source, ChildId id,
                  const core::Cluster::Child& child) {
  const Dispatcher::LaneStatus lane = source.dispatcher.status(id);
  json.begin_object()
      .member("slot", number_of(child.slot))
      .member("id", id.number)
      .member("pid", static_cast<std::int64_t>(source.pids.at(id)))
      .member("generation", number_of(child.generation))
      .member("state", state_name(child.fsm.state()))
      .member("active", lane.active)
      .member("taken", lane.taken)
      .member("pending", lane.pending)
      .member("requests", lane.requests)
      .member("restarts", source.cluster.restarts(child.slot))
      .member("uptime_s", seconds(source.now - child.spawned_at));
  write_drain(json, child, lane.active, source.now);
  json.key("says");
  const auto words = source.words.find(id);
  if (words == source.words.end() || words->second.empty()) {
    json.null();
  } else {
    json.value(words->second);
  }
  json.end_object();
}

void write_workers(JsonWriter& json, const StatusSource& source) {
  std::vector<ChildId> ids;
  for (const auto& [id, child] : source.cluster.children()) {
    if (id.role == Role::worker && source.pids.contains(id)) ids.push_back(id);
  }
  const auto& children = source.cluster.children();
  std::stable_sort(ids.begin(), ids.end(),
                   [&](ChildId a, ChildId b) { return children.at(a).slot < children.at(b).slot; });
  json.key("workers").begin_array();
  for (const ChildId id : ids) write_worker(json, source, id, children.at(id));
  json.end_array();
}

void write_last_exit(JsonWriter& json, const std::optional<core::LastExit>& last) {
  using Kind = core::ExitStatus::Kind;
  json.key("last_exit");
  if (!last) {
    json.null();
    return;
  }
  json.begin_object().key("code");
  if (last->status.kind == Kind::exited) {
    json.value(last->status.value);
  } else {
    json.null();
  }
  json.key("signal");
  if (last->status.kind == Kind::signaled) {
    json.value(signal_name(last->status.value));
  } else {
    json.null();
  }
  std::string reason = describe(last->status);
  if (!last->why.empty()) reason += ", since " + last->why;
  json.member("reason", reason).key("stderr");
  if (last->last_words.empty()) {
    json.null();
  } else {
    json.value(last->last_words);
  }
  json.end_object();
}

/// When another start is tried in a slot that has nobody.
std::optional<TimePoint> retry_at(const StatusSource& source, const core::SlotFsm& slot) {
  if (slot.state() == core::SlotState::backing_off) return slot.retry_at();
  const core::Pool& pool = source.cluster.pool(Role::worker);
  const bool probed = slot.state() == core::SlotState::given_up && pool.timer != core::TimerId{};
  return probed ? std::optional(pool.probe_at) : std::nullopt;
}

void write_restarts(JsonWriter& json, const StatusSource& source) {
  std::uint64_t total = 0;
  for (std::uint32_t number = 0; number < source.cluster.slots().size(); ++number) {
    total += source.cluster.restarts(SlotId{number});
  }
  const core::Pool& pool = source.cluster.pool(Role::worker);
  json.key("restarts")
      .begin_object()
      .member("total", total)
      .member("in_window", pool.limiter.in_window(source.now))
      .member("limit", pool.limiter.limit())
      .member("window_s", seconds(source.settings.restart.window))
      .member("given_up", pool.gave_up)
      .end_object();
}

/// How far a new generation has come: slots whose worker is of it, the old one being on its way.
void write_rollout(JsonWriter& json, const core::Cluster& cluster) {
  json.key("rollout");
  if (!cluster.rollout()) {
    json.null();
    return;
  }
  const core::Rollout& rollout = *cluster.rollout();
  const auto replaced =
      std::count_if(cluster.slots().begin(), cluster.slots().end(), [&](const auto& slot) {
        return slot.incumbent() &&
               cluster.children().at(*slot.incumbent()).generation == rollout.to;
      });
  json.begin_object()
      .member("from", number_of(rollout.from))
      .member("to", number_of(rollout.to))
      .member("replaced", static_cast<std::int64_t>(replaced))
      .member("of", static_cast<std::int64_t>(cluster.slots().size()))
      .end_object();
}

void write_slots(JsonWriter& json, const StatusSource& source) {
  json.key("slots").begin_array();
  for (std::uint32_t number = 0; number < source.cluster.slots().size(); ++number) {
    const core::SlotFsm& slot = source.cluster.slots()[number];
    json.begin_object().member("slot", number).member("state", core::to_string(slot.state()));
    json.key("retry_in_s");
    if (const auto at = retry_at(source, slot)) {
      json.value(std::max(0.0, seconds(*at - source.now)));
    } else {
      json.null();
    }
    write_last_exit(json, source.cluster.last_exit(SlotId{number}));
    json.end_object();
  }
  json.end_array();
}

}  // namespace

std::string status_report(const StatusSource& source) {
  JsonWriter json;
  json.begin_object()
      .member("name", source.settings.name)
      .member("state", state_name(source.cluster));
  write_readiness(json, source.cluster, source.now);
  write_log(json, source.log_error);
  write_messages(json, source.messages);
  json.member("generation", number_of(source.cluster.generation()));
  write_rollout(json, source.cluster);
  write_processes(json, source);
  write_agent_program(json, source);
  write_listeners(json, source);
  json.key("http");
  if (source.http.empty()) {
    json.null();
  } else {
    json.begin_object().member("address", source.http).end_object();
  }
  write_workers(json, source);
  write_slots(json, source);
  write_restarts(json, source);
  json.end_object();
  return json.take();
}

}  // namespace clusterd::runtime
