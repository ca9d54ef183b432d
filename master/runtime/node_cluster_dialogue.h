#pragma once

#include "master/core/node_servers.h"
#include "master/runtime/node_dialogue.h"

namespace clusterd::runtime {

/// With a worker of Node's cluster: the master is to it what Node's own would be.
class NodeClusterDialogue final : public NodeDialogue {
 public:
  NodeClusterDialogue(const DialogueNeeds& needs, DialoguePartner partner)
      : NodeDialogue(needs, std::move(partner), NodeLane::Style::cluster) {}

  void process_ended() override;

 private:
  void on_online() override { came_online(); }
  [[nodiscard]] std::string unasked() const override;
  void on_ready() override;
  void on_query(const node::QueryServer& query) override;
  void on_listening() override;
  void on_close(const node::Close& close) override;
  void on_leaving(const node::ExitedAfterDisconnect& message) override;

  [[nodiscard]] Result<core::ListenerIndex> open(const node::Endpoint& at);
  void refuse(const node::QueryServer& query, const Error& error);
  void answer(core::ListenerIndex index, node::Reply reply);

  [[nodiscard]] std::string first_words(core::ListenerIndex index, const std::string& data);

  core::NodeServers servers_;
  std::vector<core::ListenerIndex> spoke_first_;  ///< of these it was asked before anybody else
};

}  // namespace clusterd::runtime
