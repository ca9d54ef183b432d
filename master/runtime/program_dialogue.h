#pragma once

#include "master/runtime/native_dialogue.h"
#include "master/runtime/node_fork_dialogue.h"
#include "master/runtime/program_failures.h"

#include <string_view>

/// With the user's agent program. It has a channel as a worker has, but no listeners and no lane,
/// and more ways to say that it is ready: all that such programs say already.
namespace clusterd::runtime {

/// With the agent library, with whoever says hello, or with one that knows only sd_notify(3).
class NativeProgramDialogue final : public NativeDialogue {
 public:
  NativeProgramDialogue(const DialogueNeeds& needs, DialoguePartner partner)
      : NativeDialogue(needs, std::move(partner)), failures_(needs, this->partner().id) {}

  void left_rotation() override;
  void on_notice(const notify::Said& said) override;

 private:
  void on_envelope(const CheckedJson& message, std::string_view line) override;
  void on_program(const protocol::Failed& failed) override;
  [[nodiscard]] Result<std::vector<UniqueFd>> join(bool tells_heard) override;
  void came_online() override;
  [[nodiscard]] Duration ready_timeout() const override;
  [[nodiscard]] Duration drain_timeout() const override;
  void be_ready();

  bool joined_ = false;
  bool online_ = false;
  ProgramFailures failures_;
};

/// With a plain child of Node, as Egg's agent is.
class ForkedProgramDialogue final : public NodeForkDialogue {
 public:
  ForkedProgramDialogue(const DialogueNeeds& needs, DialoguePartner partner)
      : NodeForkDialogue(needs, std::move(partner)), failures_(needs, this->partner().id) {}

  void left_rotation() override;
  void on_notice(const notify::Said& said) override;

 private:
  void on_alive() override;
  void on_envelope(const CheckedJson& message) override;
  [[nodiscard]] Result<void> join() override { return {}; }
  [[nodiscard]] bool has_to_say_ready() const override;

  void on_failed(const protocol::Failed& failed) override { failures_.add(failed); }

  ProgramFailures failures_;
  bool notified_ = false;
};

}  // namespace clusterd::runtime
