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
/// library, and of the agent.
class NativeDialogue final : public Dialogue {
 public:
  NativeDialogue(const DialogueNeeds& needs, DialoguePartner partner);
  ~NativeDialogue() override { channel_->close(); }

  void start() override;
  void left_rotation() override;
  void process_ended() override;
  [[nodiscard]] bool counts_turns() const override { return counts_turns_; }
  void ping() override;

 private:
  void on_line(std::string_view line);
  void on_message(const protocol::Unknown&) {}
  void on_message(const Envelope&) {}  // on_line() has routed it
  void on_message(const protocol::Hello& hello);
  void on_message(const protocol::Listen& listen);
  void on_message(const protocol::Ready&);
  void on_message(const protocol::Refuse&);
  void on_message(const protocol::Suicide& suicide);
  void on_message(const protocol::Report& report);

  [[nodiscard]] Result<std::vector<UniqueFd>> join();
  [[nodiscard]] Result<std::vector<UniqueFd>> serve(core::ListenerIndex index,
                                                    protocol::Listening& reply);
  void happened(core::ChildEvent event) { needs_.happened(partner_.id, std::move(event)); }
  void broke(std::string how) { happened(core::BrokeProtocol{std::move(how)}); }
  [[nodiscard]] const config::Settings& settings() const { return needs_.settings_of(partner_.id); }

  const DialogueNeeds& needs_;
  DialoguePartner partner_;
  std::shared_ptr<Channel> channel_;
  boost::asio::steady_timer hello_timer_;
  bool said_hello_ = false;
  bool counts_turns_ = false;
};

}  // namespace clusterd::runtime
