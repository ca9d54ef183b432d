#include "master/runtime/notes.h"

#include "common/log.h"
#include "master/runtime/describe.h"

namespace clusterd::runtime {
namespace {

using Kind = core::Note::Kind;

/// "worker 3 (slot 1, pid 4711)", "agent 1 (pid 4710)", "agent program 1 (pid 4709)"
std::string who(const core::Note& note, pid_t pid) {
  const std::string process = pid > 0 ? "pid " + std::to_string(pid) : "no process";
  if (note.child.role != Role::worker) return to_string(note.child) + " (" + process + ")";
  return to_string(note.child) + " (slot " + std::to_string(number_of(note.slot)) + ", " + process +
         ")";
}

std::string seat(const core::Note& note) {
  if (note.child.role != Role::worker) return to_string(note.child.role);
  return "slot " + std::to_string(number_of(note.slot));
}

std::string since(const std::string& why) { return why.empty() ? "" : ", since " + why; }

/// Whose fault it was: ", since worker 4 exited with code 1"
std::string fault(const core::Note& note) {
  if (note.child.number == 0 || !note.exited) return since(note.why);
  return ", since " + to_string(note.child) + " " + describe(note.status, note.why);
}

std::string generation(const core::Note& note) {
  return "generation " + std::to_string(number_of(note.generation));
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
      log::info(who(note, pid) + " draining" + since(note.why));
      break;
    case Kind::gone:
      write_gone(note, pid);
      break;
    case Kind::backing_off:
      log::warn(seat(note) + ": next start in " + describe(note.time));
      break;
    case Kind::suicide:
      log::warn(who(note, pid) + " said suicide: " + note.why);
      break;
    case Kind::hang:
      log::error(who(note, pid) + " hangs: " + note.why);
      break;
    case Kind::giveup:
      log::error("giving up on " + seat(note) + ": too many deaths, the last of " +
                 (note.exited ? to_string(note.child) + ": " + describe(note.status, note.why)
                              : to_string(note.child) + since(note.why)) +
                 "; one more start is tried in " + describe(note.time));
      break;
    case Kind::recover:
      log::info(note.child.number == 0 ? "no slot is given up any more: recovered"
                                       : who(note, pid) + " is ready: recovered");
      break;
    case Kind::reload:
      if (note.planned) {
        log::info(generation(note) + " is in place, after " + describe(note.time));
      } else {
        log::error(generation(note) + " failed after " + describe(note.time) + fault(note));
      }
      break;
    case Kind::scale:
      log::info("workers: " + note.why);
      break;
    case Kind::all_ready:
      log::info("running: everything ready in " + describe(note.time));
      break;
  }
}

}  // namespace clusterd::runtime
