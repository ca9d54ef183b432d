#pragma once

#include "common/protocol.h"
#include "master/core/balancer.h"
#include "master/runtime/channel.h"
#include "master/runtime/dialogue.h"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <string_view>

namespace clusterd::runtime {

/// The native protocol (common/protocol.h), seen from the master: of workers with the worker
/// library, and of the agent. What is different for the agent program is in program_dialogue.h.
class NativeDialogue : public Dialogue {
 public:
  NativeDialogue(const DialogueNeeds& needs, DialoguePartner partner);
  ~NativeDialogue() override { channel_->close(); }

  void start() override;
  void left_rotation() override;
  void process_ended() override;
  [[nodiscard]] bool counts_turns() const override { return counts_turns_; }
  void ping() override;

 protected:
  /// A message to others, as it came.
  virtual void on_envelope(const CheckedJson& message, std::string_view line);
  virtual void on_program(const protocol::Failed&) {}
  /// Makes its ends, if it is to have any, and lets it have messages. `tells_heard`: it says which
  /// of these it has heard.
  [[nodiscard]] virtual Result<std::vector<UniqueFd>> join(bool tells_heard);
  /// It said hello.
  virtual void came_online() { happened(core::SaidHello{}); }
  /// What speaks there is no other program: it need not be asked whether it is.
  void is_known() { hello_timer_.cancel(); }
  /// How long it may take to be ready, and to leave.
  [[nodiscard]] virtual Duration ready_timeout() const;
  [[nodiscard]] virtual Duration drain_timeout() const;

  void happened(core::ChildEvent event) { needs_.happened(partner_.id, std::move(event)); }
  void broke(std::string how) { happened(core::BrokeProtocol{std::move(how)}); }
  [[nodiscard]] const DialogueNeeds& needs() const { return needs_; }
  [[nodiscard]] const DialoguePartner& partner() const { return partner_; }
  [[nodiscard]] const std::shared_ptr<Channel>& channel() const { return channel_; }
  [[nodiscard]] bool said_hello() const { return said_hello_; }

 private:
  void on_line(std::string_view line);
  void on_message(const protocol::Unknown&) {}
  void on_message(const protocol::Heard& heard);
  void on_message(const protocol::Notices&) {}  // it is told of everything
  void on_message(const Envelope&) {}           // on_line() has seen to it
  void on_message(const protocol::Failed& failed) { on_program(failed); }
  void on_message(const protocol::Hello& hello);
  void on_message(const protocol::Listen& listen);
  void on_message(const protocol::Ready&);
  void on_message(const protocol::Refuse&);
  void on_message(const protocol::Suicide& suicide);
  void on_message(const protocol::Report& report);
  void on_message(const protocol::LogWritten& said);
  void on_message(const protocol::Handles& said) { needs_.handles(partner_.id, said); }
  void on_message(const protocol::Ran& said) { needs_.ran(partner_.id, said); }

  [[nodiscard]] Result<std::vector<UniqueFd>> serve(core::ListenerIndex index,
                                                    protocol::Listening& reply);
  [[nodiscard]] const config::Settings& settings() const { return needs_.settings_of(partner_.id); }

  const DialogueNeeds& needs_;
  DialoguePartner partner_;
  std::shared_ptr<Channel> channel_;
  boost::asio::steady_timer hello_timer_;
  CheckedJson checked_;  ///< the line that is looked at
  bool said_hello_ = false;
  bool counts_turns_ = false;
};

}  // namespace clusterd::runtime
