#include "master/runtime/note_event.h"

#include "master/runtime/describe.h"

#include <unistd.h>

namespace clusterd::runtime {
namespace {

using Kind = core::Note::Kind;

/// Its exit code or signal, in numbers and in words.
void add_status(Event& event, const core::Note& note) {
  using Status = core::ExitStatus::Kind;
  if (note.status.kind == Status::exited) event.code = note.status.value;
  if (note.status.kind == Status::signaled) event.signal = signal_name(note.status.value);
  event.reason = describe(note.status, note.why);
  event.last_words = note.last_words;
}

Event about_master(std::string name, Generation generation) {
  return {.name = std::move(name), .role = "master", .pid = ::getpid(), .generation = generation};
}

Event gone(Event event, const core::Note& note) {
  add_status(event, note);
  event.planned = note.planned;
  event.uptime = note.time;
  return event;
}

/// What the last of them died of is why.
Event giveup(Event event, const core::Note& note) {
  event.reason = note.why;
  if (note.exited) add_status(event, note);
  event.numbers = {{"retry_in_s", std::chrono::round<std::chrono::seconds>(note.time).count()}};
  return event;
}

/// A failed one tells whose fault it is.
Event reload(Event event, const core::Note& note) {
  event.texts = {{"verdict", note.planned ? "done" : "failed"}};
  event.uptime = note.time;
  event.reason = note.why;
  if (note.planned || note.child.number == 0) return event;
  if (note.child.role == Role::worker) {
    event.slot = note.slot;
    event.worker = note.child.number;
  }
  if (note.exited) add_status(event, note);
  event.last_words = note.last_words;
  return event;
}

Event because(Event event, const core::Note& note) {
  event.reason = note.why;
  return event;
}

}  // namespace

Event event_about(std::string name, ChildId child, SlotId slot, pid_t pid, Generation generation) {
  Event event{
      .name = std::move(name), .role = to_string(child.role), .pid = pid, .generation = generation};
  if (child.role == Role::worker) {
    event.slot = slot;
    event.worker = child.number;
  }
  return event;
}

std::optional<Event> to_event(const core::Note& note, pid_t pid, Generation generation) {
  const auto about = [&](std::string name) {
    return event_about(std::move(name), note.child, note.slot, pid, generation);
  };
  switch (note.kind) {
    case Kind::forked:
      if (pid == 0) return std::nullopt;  // it could not be, as its end tells
      return about("fork");
    case Kind::online:
      return about("online");
    case Kind::ready: {
      Event event = about("ready");
      event.uptime = note.time;
      return event;
    }
    case Kind::drain:
      return because(about("drain"), note);
    case Kind::suicide:
      return because(about("suicide"), note);
    case Kind::hang:
      return because(about("hang"), note);
    case Kind::giveup:
      return giveup(about("giveup"), note);
    case Kind::recover:
      return note.child.number == 0 ? about_master("recover", generation) : about("recover");
    case Kind::reload:
      return reload(about_master("reload", note.generation), note);
    case Kind::scale:
      return because(about_master("scale", generation), note);
    case Kind::gone:
      return gone(about(note.child.role == Role::worker ? "exit" : "agent_exit"), note);
    case Kind::all_ready: {
      Event event = about_master("ready", generation);
      event.uptime = note.time;
      return event;
    }
    case Kind::backing_off:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace clusterd::runtime
