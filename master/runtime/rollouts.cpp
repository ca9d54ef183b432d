#include "master/runtime/rollouts.h"

#include "common/exit_code.h"
#include "common/json.h"
#include "common/log.h"
#include "config/changes.h"
#include "config/parse.h"
#include "master/runtime/describe.h"
#include "master/runtime/plan_of.h"
#include "master/runtime/privileges.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace clusterd::runtime {
namespace {

void add_list(JsonWriter& json, std::string_view name, const std::vector<std::string>& list) {
  json.key(name).begin_array();
  for (const std::string& one : list) json.value(one);
  json.end_array();
}

std::string mistaken(const std::string& file, const std::vector<std::string>& mistakes) {
  JsonWriter json;
  json.begin_object().member("ok", false).member("error", "mistakes in " + file);
  add_list(json, "mistakes", mistakes);
  return json.member("code", kExitConfig).end_object().take();
}

std::string done(const std::string& text, const std::vector<std::string>& changes) {
  JsonWriter json;
  json.begin_object().member("ok", true).member("text", text);
  add_list(json, "changes", changes);
  return json.end_object().take();
}

std::string name_of(Generation generation) {
  return "generation " + std::to_string(number_of(generation));
}

/// "worker 9 (slot 0)", "agent program 2"
std::string who(ChildId child, SlotId slot) {
  if (child.role != Role::worker) return to_string(child);
  return to_string(child) + " (slot " + std::to_string(number_of(slot)) + ")";
}

/// "worker 9 (slot 0) exited with code 1 before it was ready"
std::string fault(const core::RolloutEnded& ended) {
  if (ended.child.number == 0) return ended.why;
  std::string text = who(ended.child, ended.slot) + " ";
  if (ended.exited) {
    text += describe(ended.status, ended.why);
  } else {
    text += "failed: " + ended.why;
  }
  return text + (ended.was_ready ? ", soon after it was ready" : ", before it was ready");
}

void to_all(const std::vector<Reply>& replies, const std::string& line) {
  for (const Reply& reply : replies) reply.finish(line);
}

}  // namespace

Rollouts::Rollouts(Needs needs, std::vector<std::string> sets)
    : needs_(std::move(needs)),
      sets_(std::move(sets)),
      file_workers_(needs_.generations.settings(in_force_).workers),
      program_(plan_of(needs_.generations.settings(in_force_)).program) {}

void Rollouts::ask(Kind kind, const Reply& reply) {
  // Signals, which nobody waits for, are one request however many they are.
  const bool nobody = reply.gone();
  const bool known = std::any_of(queue_.begin(), queue_.end(), [&](const Request& request) {
    return nobody && request.kind == kind && request.reply.gone();
  });
  if (known) return;
  queue_.push_back({kind, reply});
  proceed();
  if (queue_.empty()) return;
  log::info(std::string(kind == Kind::reload ? "the reload " : "the restart ") + why_wait());
  reply.progress(why_wait());
}

std::string Rollouts::why_wait() const {
  if (active_) return "waits for " + name_of(active_->generation) + ", which is on its way";
  return std::string("waits: the cluster is ") + core::to_string(needs_.cluster.state());
}

void Rollouts::proceed() {
  if (active_ || queue_.empty()) return;
  if (needs_.cluster.state() > core::ClusterState::running) {
    for (const Request& request : queue_) request.reply.refuse("the cluster stops");
    return queue_.clear();
  }
  if (!needs_.cluster.can_roll_out()) return;
  // All that came before it began, and a reload is a restart too.
  std::vector<Reply> replies;
  Kind kind = Kind::restart;
  bool restarts = false;
  for (const Request& request : queue_) {
    if (request.kind == Kind::reload) kind = Kind::reload;
    restarts = restarts || request.kind == Kind::restart;
    replies.push_back(request.reply);
  }
  queue_.clear();
  begin(kind, restarts, std::move(replies));
}

/// With as many workers as there are: they may have been scaled.
config::Settings Rollouts::now() const {
  config::Settings now = needs_.generations.settings(in_force_);
  now.workers = static_cast<std::uint32_t>(needs_.cluster.slots().size());
  return now;
}

/// A pool that was scaled stays so, unless somebody has changed the number in the file.
void Rollouts::keep_scale(config::Settings& settings) const {
  if (settings.workers == file_workers_) settings.workers = now().workers;
}

/// Nothing if the file has mistakes, and those who wait have been told.
std::optional<config::Settings> Rollouts::read(const std::vector<Reply>& replies) const {
  const config::Settings now = this->now();
  auto loaded = config::load(now.file, sets_);
  std::vector<std::string> mistakes;
  if (const auto* list = std::get_if<config::Mistakes>(&loaded)) {
    for (const config::Mistake& mistake : *list) {
      mistakes.push_back(config::text(now.file, mistake));
    }
  } else {
    const auto& settings = std::get<config::Settings>(loaded);
    mistakes = config::cannot_change(now, settings);
    if (auto may = may_change_user(settings); !may) mistakes.push_back(may.error().message());
  }
  if (mistakes.empty()) return std::get<config::Settings>(std::move(loaded));
  log::error("not reloaded: " + mistakes.front() +
             (mistakes.size() > 1 ? ", and " + std::to_string(mistakes.size() - 1) + " more" : ""));
  to_all(replies, mistaken(now.file, mistakes));
  return std::nullopt;
}

void Rollouts::dry_run(const Reply& reply) const {
  auto settings = read({reply});
  if (!settings) return;
  keep_scale(*settings);
  reply.finish(done("", config::changes(now(), *settings)));
}

void Rollouts::begin(Kind kind, bool restarts, std::vector<Reply> replies) {
  const Generation next = needs_.cluster.next_generation();
  config::Settings settings = now();
  std::uint32_t file_workers = file_workers_;
  if (kind == Kind::reload) {
    auto changed = read(replies);
    if (!changed) return;
    settings = std::move(*changed);
    file_workers = settings.workers;
    keep_scale(settings);
  }
  const std::vector<std::string> changes = config::changes(now(), settings);
  if (auto opened = open(next, settings); !opened) {
    needs_.abandon();
    needs_.generations.restore(in_force_);
    const std::string why = opened.error().message();
    log::error("not reloaded: " + why);
    for (const Reply& reply : replies) reply.refuse(why);
    return;
  }
  core::Plan plan = plan_of(settings);
  // A restart is of all that is the user's; a reload leaves alone what it does not change.
  const bool same = kind == Kind::reload && !restarts && settings.agent == now().agent;
  if (plan.program != 0) plan.program = same ? program_ : number_of(next);
  log::info(name_of(next) + " begins" + (kind == Kind::reload ? ": reload" : ": restart"));
  for (const std::string& change : changes) log::info("  " + change);
  for (const Reply& reply : replies) reply.progress(name_of(next) + " begins");
  active_ = Active{next, std::move(replies), changes, file_workers, plan.program};
  needs_.handle(core::RolloutRequested{plan});
}

Result<void> Rollouts::open(Generation generation, const config::Settings& settings) {
  if (auto prepared = needs_.prepare(settings); !prepared) return prepared.error();
  auto opened = needs_.generations.add(generation, settings, in_force_);
  if (!opened) return opened.error();
  for (const core::ListenerIndex index : *opened) {
    const config::Listen& listen = needs_.generations.listen(index);
    if (needs_.generations.listener(index)->is_datagram()) continue;
    auto added = needs_.dispatcher.add_listener(index, *needs_.generations.listener(index),
                                                listen.policy, listen.queue_timeout);
    if (added) continue;
    tidy();
    return added.error();
  }
  return {};
}

/// Clients of a listener that goes get no further, and those who came are served by the old.
void Rollouts::committed() {
  if (!active_) return;
  active_->suspended = needs_.generations.removed(in_force_, active_->generation);
  for (const core::ListenerIndex index : active_->suspended) {
    needs_.dispatcher.suspend_listener(index);
  }
  const config::Settings& settings = needs_.generations.settings(active_->generation);
  needs_.dispatcher.set_options(DispatcherOptions::of(settings.worker));
}

void Rollouts::ended(const core::RolloutEnded& ended) {
  if (!active_) return;
  const Active over = std::move(*std::exchange(active_, std::nullopt));
  if (ended.done) {
    in_force_ = over.generation;
    file_workers_ = over.file_workers;
    program_ = over.program;
    needs_.in_force(needs_.generations.settings(in_force_));
    for (const core::ListenerIndex index : over.suspended) {
      // One that a worker wanted again since is served, and goes on.
      if (needs_.dispatcher.is_suspended(index)) needs_.dispatcher.close_listener(index);
    }
    const auto workers = needs_.cluster.slots().size();
    to_all(over.replies,
           done(name_of(over.generation) + " is in place: " + std::to_string(workers) +
                    (workers == 1 ? " worker" : " workers") + " in " + describe(ended.took),
                over.changes));
    return tidy();
  }
  needs_.abandon();
  if (needs_.cluster.state() <= core::ClusterState::delaying) {  // else all listeners close
    for (const core::ListenerIndex index : over.suspended) needs_.dispatcher.resume_listener(index);
    for (const core::ListenerIndex index : needs_.generations.removed(over.generation, in_force_)) {
      needs_.dispatcher.suspend_listener(index);  // for those of its clients who came
    }
    needs_.generations.restore(in_force_);
  }
  needs_.dispatcher.set_options(
      DispatcherOptions::of(needs_.generations.settings(in_force_).worker));
  const std::string words = ended.exited ? ended.last_words : needs_.last_words(ended.child);
  JsonWriter json;
  json.begin_object()
      .member("ok", false)
      .member("error", name_of(over.generation) + " failed after " + describe(ended.took) + ": " +
                           fault(ended));
  if (!words.empty()) json.member("stderr", words);
  to_all(over.replies, json.member("code", kExitGaveUp).end_object().take());
  tidy();
}

void Rollouts::tell(const core::Note& note) const {
  if (!active_ || note.child.role == Role::agent) return;
  const char* what = nullptr;
  if (note.kind == core::Note::Kind::forked) what = " starts";
  if (note.kind == core::Note::Kind::ready) what = " is ready";
  if (note.kind == core::Note::Kind::drain) what = " drains";
  if (what == nullptr) return;
  const std::string text = who(note.child, note.slot) + what;
  for (const Reply& reply : active_->replies) reply.progress(text);
}

void Rollouts::tidy() {
  for (const Generation generation : needs_.generations.all()) {
    if (generation == in_force_ || (active_ && generation == active_->generation)) continue;
    const auto& children = needs_.cluster.children();
    const bool alive = std::any_of(children.begin(), children.end(), [&](const auto& entry) {
      return entry.first.role == Role::worker && entry.second.generation == generation;
    });
    if (alive) continue;
    for (const core::ListenerIndex index : needs_.generations.forget(generation)) {
      needs_.dispatcher.remove_listener(index);
      needs_.generations.close(index);
    }
  }
}

}  // namespace clusterd::runtime
