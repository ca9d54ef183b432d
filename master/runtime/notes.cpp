#include "master/runtime/notes.h"

#include "common/log.h"
#include "master/runtime/describe.h"

namespace clusterd::runtime {
namespace {

using Kind = core::Note::Kind;

/// "worker 3 (slot 1, pid 4711)", "agent 1 (pid 4710)"
std::string who(const core::Note& note, pid_t pid) {
  const std::string process = pid > 0 ? "pid " + std::to_string(pid) : "no process";
  if (note.child.role == Role::agent) return to_string(note.child) + " (" + process + ")";
  return to_string(note.child) + " (slot " + std::to_string(number_of(note.slot)) + ", " + process +
         ")";
}

std::string seat(const core::Note& note) {
  return note.child.role == Role::agent ? "agent" : "slot " + std::to_string(number_of(note.slot));
}

void write_gone(const core::Note& note, pid_t pid) {
  std::string text = who(note, pid) + " " + describe(note.status) + " after " + describe(note.time);
  if (!note.why.empty()) text += ", since " + note.why;
  log::write(note.planned ? log::Level::info : log::Level::warn, text);
}

}  // namespace

void write_note(const core::Note& note, pid_t pid) {
  switch (note.kind) {
    case Kind::forked:
      log::debug(who(note, pid) + " forked");
      break;
    case Kind::online:
      log::debug(who(note, pid) + " online");
      break;
    case Kind::ready:
      log::info(who(note, pid) + " ready in " + describe(note.time));
      break;
    case Kind::drain:
      log::debug(who(note, pid) + " draining");
      break;
    case Kind::gone:
      write_gone(note, pid);
      break;
    case Kind::backing_off:
      log::warn(seat(note) + ": next start in " + describe(note.time));
      break;
    case Kind::all_ready:
      log::info("running: everything ready in " + describe(note.time));
      break;
  }
}

}  // namespace clusterd::runtime
