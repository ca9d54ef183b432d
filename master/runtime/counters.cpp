#include "master/runtime/counters.h"

#include "config/keys.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace clusterd::runtime {
namespace {

using Kind = core::Note::Kind;

/// More than a machine serves between two looks; less than what a number that went back looks like.
constexpr std::uint64_t kFarthestLeap = 1ULL << 40;

/// Names of listeners that are gone from app.conf are kept, but not without an end.
constexpr std::size_t kMostNames = 4 * core::kMaxListeners;

Counters::End end_of(const core::ExitStatus& status) {
  switch (status.kind) {
    case core::ExitStatus::Kind::exited:
      return Counters::End::exit;
    case core::ExitStatus::Kind::signaled:
      return Counters::End::signal;
    case core::ExitStatus::Kind::not_started:
      break;
  }
  return Counters::End::not_started;
}

}  // namespace

std::uint64_t Growth::to(std::uint64_t now) {
  const std::uint64_t grown = now - std::exchange(last_, now);
  return grown > kFarthestLeap ? 0 : grown;
}

void Counter::add(std::uint64_t more) {
  value_ += std::min(more, std::numeric_limits<std::uint64_t>::max() - value_);
}

/// What has not happened yet is there as 0, so that its first time is seen as a change.
Counters::Counters() {
  for (const config::Key& key : config::keys()) {
    if (key.table == "hooks") events_.emplace(key.name, Counter());
  }
}

void Counters::ran(const core::schedule::Ended& run) {
  runs_[run.schedule->name][static_cast<std::size_t>(run.result)].add(1);
}

void Counters::event(const std::string& name) {
  const auto found = events_.find(name);
  if (found != events_.end()) found->second.add(1);
}

void Counters::saw(const core::Note& note) {
  if (note.kind == Kind::reload) reloads_[note.planned ? 1 : 0].add(1);
  if (note.child.role != Role::worker || note.child.number == 0) return;
  if (note.kind == Kind::forked) forked(note);
  if (note.kind == Kind::suicide) left(note, Cause::suicide);
  if (note.kind == Kind::hang) left(note, Cause::hang);
  if (note.kind == Kind::drain) left(note, std::nullopt);
  if (note.kind == Kind::gone) gone(note);
}

/// Why: for what the last in its slot was lost; or, if that still sits there, for what its
/// successor is to be another.
void Counters::forked(const core::Note& note) {
  workers_[note.child].slot = note.slot;
  slots_[note.slot].starts.add(1);
  Seat& seat = seats_[note.slot];
  std::optional<Cause> cause = std::exchange(seat.lost, std::nullopt);
  if (!cause && !seat.sits.empty()) {
    const bool same = std::all_of(seat.sits.begin(), seat.sits.end(), [&](const auto& entry) {
      return entry.second == note.generation;
    });
    cause = same ? Cause::recycle : Cause::reload;
  }
  if (cause) restarts_[static_cast<std::size_t>(*cause)].add(1);
  seat.sits.emplace(note.child, note.generation);
}

void Counters::gone(const core::Note& note) {
  if (!note.planned) {
    deaths_[static_cast<std::size_t>(end_of(note.status))].add(1);
    slots_[note.slot].deaths.add(1);
  }
  left(note, note.planned ? Cause::kill : Cause::crash);
}

/// The first that is heard of its leaving is why. If another sits there already, nobody is to be
/// forked for it.
void Counters::left(const core::Note& note, std::optional<Cause> cause) {
  Seat& seat = seats_[note.slot];
  if (seat.sits.erase(note.child) == 0) return;
  seat.lost = seat.sits.empty() ? cause : std::nullopt;
}

void Counters::worker(ChildId id, std::uint64_t taken, std::uint64_t requests) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  Slot& slot = slots_[found->second.slot];
  slot.taken.add(found->second.taken.to(taken));
  slot.requests.add(found->second.requests.to(requests));
}

void Counters::listener(core::ListenerIndex index, const std::string& name, std::uint64_t accepted,
                        std::uint64_t expired) {
  if (!known_[index]) known_[index] = Known{name, {}, {}};
  Listener& listener = listener_named(known_[index]->name);
  listener.open = true;
  listener.accepted.add(known_[index]->accepted.to(accepted));
  listener.expired.add(known_[index]->expired.to(expired));
}

void Counters::listener_gone(core::ListenerIndex index) {
  if (!known_[index]) return;
  const std::string name = std::exchange(known_[index], std::nullopt)->name;
  listeners_[name].open = std::any_of(known_.begin(), known_.end(), [&](const auto& known) {
    return known && known->name == name;
  });
}

Counters::Listener& Counters::listener_named(const std::string& name) {
  if (!listeners_.contains(name) && listeners_.size() >= kMostNames) {
    const auto gone = std::find_if(listeners_.begin(), listeners_.end(),
                                   [](const auto& entry) { return !entry.second.open; });
    if (gone != listeners_.end()) listeners_.erase(gone);
  }
  return listeners_[name];
}

}  // namespace clusterd::runtime
