// What an operator asks for, by a signal or on the control socket: each is one path.
#include "common/json.h"
#include "common/log.h"
#include "master/runtime/describe.h"
#include "master/runtime/supervisor.h"

#include <algorithm>
#include <csignal>

namespace clusterd::runtime {
namespace {

constexpr int kGaveUp = 75;
constexpr std::int64_t kMostWorkers = 1024;

std::string done(const std::string& text) {
  JsonWriter json;
  return json.begin_object().member("ok", true).member("text", text).end_object().take();
}

std::string workers(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " worker" : " workers");
}

/// Somebody may be about to be replaced: under a constant recycling somebody always is.
bool every_slot_serves(const core::Cluster& cluster) {
  return std::all_of(cluster.slots().begin(), cluster.slots().end(), [&](const auto& slot) {
    return slot.incumbent() &&
           cluster.children().at(*slot.incumbent()).fsm.state() == core::ChildState::ready;
  });
}

log::Level to_log(config::LogLevel level) {
  static_assert(static_cast<int>(config::LogLevel::off) == static_cast<int>(log::Level::off));
  return static_cast<log::Level>(level);
}

}  // namespace

void Supervisor::watch_signals() {
  for (const int signal : {SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2}) {
    boost::system::error_code known_already;
    signals_.add(signal, known_already);
  }
  signals_.async_wait([this](boost::system::error_code error, int number) {
    if (error) return;
    on_signal(number);
    watch_signals();
  });
}

void Supervisor::on_signal(int number) {
  const auto now = static_cast<std::int64_t>(cluster_.slots().size());
  switch (number) {
    case SIGTERM:
      log::info("got TERM: stopping");
      handle(core::StopRequested{false});
      break;
    case SIGINT: {
      const bool again = cluster_.state() == core::ClusterState::stopping;
      log::info(again ? "got INT again: stopping now" : "got INT: stopping (again: now)");
      handle(core::StopRequested{again});
      break;
    }
    case SIGQUIT:
      log::info("got QUIT: stopping now");
      handle(core::StopRequested{true});
      break;
    case SIGHUP:
      log::info("got HUP: reloading");
      rollouts_.ask(Rollouts::Kind::reload, Reply());
      break;
    case SIGTTIN:
      log::info("got TTIN: one worker more");
      scale(now + 1, Reply());
      break;
    case SIGTTOU:
      log::info("got TTOU: one worker less");
      scale(now - 1, Reply());
      break;
    default:
      log::warn("got " + signal_name(number) + ": it has no meaning in this version");
      break;
  }
}

/// False if there is no such verb.
bool Supervisor::obey(const std::string& verb, const CheckedJson& request, const Reply& reply) {
  if (verb == "reload") {
    if (request.boolean("dry_run").value_or(false)) {
      rollouts_.dry_run(reply);
    } else {
      log::info("asked to reload");
      rollouts_.ask(Rollouts::Kind::reload, reply);
    }
  } else if (verb == "restart") {
    log::info("asked to restart");
    rollouts_.ask(Rollouts::Kind::restart, reply);
  } else if (verb == "scale") {
    const auto to = request.integer("to");
    const auto by = request.integer("by").value_or(0);
    scale(to.value_or(static_cast<std::int64_t>(cluster_.slots().size()) +
                      std::clamp(by, -kMostWorkers, kMostWorkers)),
          reply);
  } else if (verb == "recycle") {
    with_worker_of(request, reply, [this](ChildId id) {
      handle(core::RecycleRequested{id, "asked to recycle it"});
      return to_string(id) + " leaves when its successor is ready";
    });
  } else if (verb == "kill") {
    with_worker_of(request, reply, [this](ChildId id) {
      happened(id, core::AskedToDie{});
      return to_string(id) + " was sent KILL";
    });
  } else {
    return false;
  }
  return true;
}

void Supervisor::with_worker_of(const CheckedJson& request, const Reply& reply,
                                const std::function<std::string(ChildId)>& order) {
  const auto slot = request.integer("slot").value_or(-1);
  const auto slots = static_cast<std::int64_t>(cluster_.slots().size());
  if (slot < 0 || slot >= slots) {
    return reply.refuse("there is no slot " + std::to_string(slot) + "; there are 0 to " +
                        std::to_string(slots - 1));
  }
  const auto worker = cluster_.slots()[static_cast<std::size_t>(slot)].incumbent();
  if (!worker) return reply.refuse("slot " + std::to_string(slot) + " has no worker now");
  reply.finish(done(order(*worker)));
}

void Supervisor::scale(std::int64_t to, const Reply& reply) {
  const auto refuse = [&](const std::string& why) {
    log::warn("not scaled: " + why);
    reply.refuse(why);
  };
  if (to < 1) return refuse("at least one worker stays");
  if (to > kMostWorkers) return refuse("at most " + workers(kMostWorkers) + " can be had");
  if (cluster_.state() > core::ClusterState::running) return refuse("the cluster stops");
  scaling_.push_back(reply);
  reply.progress("scaling to " + workers(static_cast<std::size_t>(to)));
  handle(core::ScaleRequested{static_cast<std::uint32_t>(to)});
}

/// Everybody who asked for another size waits for the same: that the pool is as it was asked to be.
void Supervisor::answer_scaling() {
  if (scaling_.empty()) return;
  std::string line;
  if (cluster_.state() > core::ClusterState::running) {
    JsonWriter json;
    line = json.begin_object()
               .member("ok", false)
               .member("error", "the cluster stops")
               .end_object()
               .take();
  } else if (cluster_.pool(Role::worker).gave_up) {
    JsonWriter json;
    line = json.begin_object()
               .member("ok", false)
               .member("error", "too many workers have died, and the cluster has given up")
               .member("code", kGaveUp)
               .end_object()
               .take();
  } else if (cluster_.can_roll_out() && every_slot_serves(cluster_)) {
    line = done(workers(cluster_.slots().size()) + " ready");
  } else {
    return;
  }
  for (const Reply& reply : std::exchange(scaling_, {})) reply.finish(line);
}

void Supervisor::in_force(const config::Settings& settings) {
  log::set_level(to_log(settings.log.level));
  hooks_.configure(settings);
}

}  // namespace clusterd::runtime
