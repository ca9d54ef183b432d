// What is told of it all: to the log, to the hooks, and to whoever asks on the control socket.
#include "common/json.h"
#include "common/log.h"
#include "master/runtime/describe.h"
#include "master/runtime/note_event.h"
#include "master/runtime/notes.h"
#include "master/runtime/status_report.h"
#include "master/runtime/supervisor.h"

#include <unistd.h>

namespace clusterd::runtime {
namespace {

/// The kernel closes what a process had open before it says that the process has ended. Whose
/// channel ended and who is still there after this long did not just exit.
constexpr auto kExitFollows = std::chrono::milliseconds(250);

}  // namespace

void Supervisor::carry_out(const core::Note& note) {
  const auto found = children_.find(note.child);
  const bool started = found != children_.end();
  const pid_t pid = started ? found->second->process.pid() : 0;
  write_note(note, pid);
  http_.counters().saw(note);
  auto event = to_event(note, pid, started ? found->second->generation : cluster_.generation());
  if (event && note.kind == core::Note::Kind::scale) {
    event->numbers = {{"workers", cluster_.slots().size()}};
  }
  // Who fails a reload may be alive: it is not ready in time, or has said suicide.
  if (event && note.kind == core::Note::Kind::reload && !note.planned && started) {
    event->last_words = found->second->output.last_words();
  }
  if (event) event_log_.record(*event);
  rollouts_.tell(note);
}

Event Supervisor::about(ChildId id, std::string name) const {
  const Child& child = *children_.at(id);
  return event_about(std::move(name), id, cluster_.children().at(id).slot, child.process.pid(),
                     child.generation);
}

Event Supervisor::about_master(std::string name) const {
  return {.name = std::move(name),
          .role = "master",
          .pid = ::getpid(),
          .generation = cluster_.generation()};
}

void Supervisor::record_start() {
  Event event = about_master("start");
  event.numbers = {{"workers", settings().workers}};
  event_log_.record(event);
}

/// Called after each step: says once that the cluster stops, and which event did that.
void Supervisor::record_stop(const core::Event& cause) {
  const auto* asked = std::get_if<core::StopRequested>(&cause);
  if (told_of_stop_ && asked != nullptr && asked->now) scheduler_.stop(true);
  if (told_of_stop_ || cluster_.state() <= core::ClusterState::running) return;
  told_of_stop_ = true;
  Event event = about_master("stop");
  event.uptime = Clock::now() - started_at_;
  scheduler_.stop(asked == nullptr || asked->now);
  event.planned = asked != nullptr;
  event.reason = asked == nullptr ? "it gave up" : asked->now ? "asked to, now" : "asked to";
  if (cluster_.state() == core::ClusterState::delaying) {
    const Duration delay = cluster_.stops_at() - Clock::now();
    log::info("not ready any more; serving on for " + describe(delay) + " (stop_delay)");
    event.numbers = {
        {"delay_ms", std::chrono::duration_cast<std::chrono::milliseconds>(delay).count()}};
  }
  event_log_.record(event);
}

void Supervisor::on_stall(ChildId id, std::uint32_t count) {
  log::warn(to_string(id) + " left connections untaken for stall_timeout; they go to others (" +
            std::to_string(count) + ")");
  http_.counters().stalled(count);
  Event event = about(id, "stall");
  event.numbers = {{"connections", count}};
  event_log_.record(event);
}

void Supervisor::on_channel_end(ChildId id) {
  auto later = std::make_shared<boost::asio::steady_timer>(io_, kExitFollows);
  later->async_wait([this, id, later](boost::system::error_code error) {
    if (error || !children_.contains(id)) return;
    log::warn(to_string(id) + " has closed its channel, and lives");
    event_log_.record(about(id, "disconnect"));
  });
  happened(id, core::ChannelEnded{});
}

bool Supervisor::answer(const std::string& verb, const CheckedJson& request, const Reply& reply) {
  JsonWriter json;
  json.begin_object().member("ok", true);
  if (verb == "status") {
    dispatcher_.refresh();
    reply.finish(json.key("status").raw(status()).end_object().take());
  } else if (verb == "stop") {
    const bool now = request.boolean("now").value_or(false);
    log::info(now ? "asked to stop now" : "asked to stop");
    handle(core::StopRequested{now});
    reply.finish(json.end_object().take());
  } else if (verb == "events") {
    event_log_.answer(request.boolean("follow").value_or(false), reply);
  } else if (verb == "logs") {
    log_tail_.answer(request, reply);
  } else {
    return obey(verb, request, reply);
  }
  return true;
}

std::string Supervisor::status() const {
  StatusSource source{.settings = settings(),
                      .cluster = cluster_,
                      .dispatcher = dispatcher_,
                      .generations = generations_,
                      .messages = messenger_.carried(),
                      .in_force = rollouts_.in_force(),
                      .started_at = started_at_,
                      .http = http_.address(),
                      .log_error = log_service_.error(),
                      .now = Clock::now()};
  for (const auto& [id, child] : children_) {
    source.pids[id] = child->process.pid();
    source.words[id] = notifications_.status(id);
  }
  return status_report(source);
}

}  // namespace clusterd::runtime
