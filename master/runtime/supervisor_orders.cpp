// What an operator asks for, by a signal or on the control socket: each is one path.
#include "common/exit_code.h"
#include "common/json.h"
#include "common/log.h"
#include "master/runtime/describe.h"
#include "master/runtime/supervisor.h"

#include <algorithm>
#include <csignal>

namespace clusterd::runtime {
namespace {

constexpr auto kMostWorkers = static_cast<std::int64_t>(config::kMostWorkers);

std::string done(const std::string& text) {
  JsonWriter json;
  return json.begin_object().member("ok", true).member("text", text).end_object().take();
}

std::string workers(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " worker" : " workers");
}

}  // namespace

void Supervisor::watch_signals() {
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
      const bool again = cluster_.state() > core::ClusterState::running;
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
      manager_.reload_asked();
      rollouts_.ask(Rollouts::Kind::reload, Reply());
      manager_.look();
      break;
    case SIGTTIN:
      log::info("got TTIN: one worker more");
      scale(now + 1, Reply());
      break;
    case SIGTTOU:
      log::info("got TTOU: one worker less");
      scale(now - 1, Reply());
      break;
    case SIGUSR1: {
      const auto opened = reopen_log();
      if (opened) {
        log::info("got USR1: " + *opened);
      } else {
        log::error("got USR1: " + opened.error().message());
      }
      break;
    }
    default:
      log::warn("got " + signal_name(number) + ": it has no meaning in this version");
      break;
  }
}

/// Says what was done. Programs that have logs of their own are told in any case.
Result<std::string> Supervisor::reopen_log() {
  reload_logs();
  if (log_service_.has_file()) {
    if (!log_service_.reopen()) {
      return make_error("there is no agent to open the log anew: the next one does");
    }
    return std::string("the agent opens the log anew");
  }
  if (!outside_.reopen_log) return std::string("there is no log.file to open anew");
  if (const auto opened = outside_.reopen_log(); !opened) {
    return Error{opened.error().code, "the log stays where it was: " + opened.error().what};
  }
  log::reopened();
  return std::string("the log goes on here");
}

void Supervisor::reload_logs() { messenger_.log_reload(); }

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
  } else if (verb == "reopen") {
    const auto opened = reopen_log();
    if (!opened) {
      log::error("asked to reopen: " + opened.error().message());
      reply.refuse(opened.error().message());
    } else {
      log::info("asked to reopen: " + *opened);
      reply.finish(done(*opened));
    }
  } else if (verb == "schedules") {
    scheduler_.list(reply);
  } else if (verb == "run") {
    scheduler_.run(request.string("schedule").value_or(""), reply);
  } else if (verb == "send") {
    operator_messages_.send(request, reply);
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
  const bool stops = cluster_.state() > core::ClusterState::running;
  const bool gave_up = cluster_.pool(Role::worker).gave_up;
  // Under a constant recycling somebody is always about to be replaced.
  const bool ready = cluster_.can_roll_out() && cluster_.at_strength(Role::worker);
  if (scaling_.empty() || (!stops && !gave_up && !ready)) return;
  for (const Reply& reply : std::exchange(scaling_, {})) {
    if (stops) {
      reply.refuse("the cluster stops");
    } else if (gave_up) {
      reply.refuse("too many workers have died, and the cluster has given up", kExitGaveUp);
    } else {
      reply.finish(done(workers(cluster_.slots().size()) + " ready"));
    }
  }
}

void Supervisor::in_force(const config::Settings& settings) {
  log::set_level(settings.log.level);
  log::set_format(settings.log.format);
  log_service_.commit(settings.log);
  hooks_.configure(settings);
  scheduler_.configure();
  messenger_.configure(settings.messages);
  http_.commit();
}

}  // namespace clusterd::runtime
