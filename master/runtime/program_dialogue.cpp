#include "master/runtime/program_dialogue.h"

#include "master/runtime/messenger.h"

#include <csignal>
#include <utility>

namespace clusterd::runtime {
namespace {

/// What Egg's agents have always said.
constexpr const char* kAgentStart = "agent-start";

const config::Worker& settings_of(const DialogueNeeds& needs, const DialoguePartner& partner) {
  return needs.settings_of(partner.id).agent.program;
}

}  // namespace

/// One that has not said hello does not know what the end of the channel means.
void NativeProgramDialogue::left_rotation() {
  channel()->end();
  if (!said_hello() && needs().drains(partner().id)) partner().process.signal(SIGTERM);
}

void NativeProgramDialogue::on_notice(const notify::Said& said) {
  if (said.ready) be_ready();
}

void NativeProgramDialogue::on_envelope(const CheckedJson& message, std::string_view line) {
  const bool is_ready = message.string("action") == kAgentStart;
  if (is_ready) (void)join(false);
  NativeDialogue::on_envelope(message, line);
  if (is_ready) be_ready();
}

void NativeProgramDialogue::on_program(const protocol::Failed& failed) { failures_.add(failed); }

Result<std::vector<UniqueFd>> NativeProgramDialogue::join(bool tells_heard) {
  if (!std::exchange(joined_, true)) {
    needs().messenger.join(partner().id, channel(), partner().process.pid(), std::nullopt,
                           Messenger::Dialect::native, tells_heard);
    // It may be ready already, if it has said so elsewhere.
    needs().joined(partner().id);
  }
  return std::vector<UniqueFd>{};
}

void NativeProgramDialogue::came_online() {
  if (std::exchange(online_, true)) return;
  is_known();
  partner().process.has_started();
  happened(core::SaidHello{});
}

Duration NativeProgramDialogue::ready_timeout() const {
  return settings_of(needs(), partner()).ready_timeout;
}

Duration NativeProgramDialogue::drain_timeout() const {
  return settings_of(needs(), partner()).drain_timeout;
}

void NativeProgramDialogue::be_ready() {
  came_online();
  happened(core::SaidReady{});
}

/// The end of its channel would end one of Egg with an exit code that means that its master has
/// died, and one that has a timer not at all.
void ForkedProgramDialogue::left_rotation() {
  if (!needs().drains(partner().id) || has_said_suicide()) return;
  partner().process.signal(settings_of(needs(), partner()).drain_signal);
}

void ForkedProgramDialogue::on_notice(const notify::Said& said) {
  notified_ = notified_ || said.ready;
  if (notified_) became_ready(true);
}

void ForkedProgramDialogue::on_alive() {
  if (is_online()) return;
  came_online();
  became_ready(notified_);
}

void ForkedProgramDialogue::on_envelope(const CheckedJson& message) {
  if (message.string("action") == kAgentStart) became_ready(true);
}

bool ForkedProgramDialogue::has_to_say_ready() const {
  return settings_of(needs(), partner()).ready.when != config::Ready::When::started;
}

}  // namespace clusterd::runtime
