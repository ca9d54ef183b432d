#pragma once

#include "common/node_protocol.h"
#include "common/node_reply.h"
#include "master/core/node_servers.h"
#include "master/runtime/dialogue.h"
#include "master/runtime/node_lane.h"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <string_view>

namespace clusterd::runtime {

/// A worker of Node's cluster, or who speaks as one (common/node_protocol.h): the master is to it
/// what Node's own would be.
class NodeDialogue final : public Dialogue {
 public:
  NodeDialogue(const DialogueNeeds& needs, DialoguePartner partner);
  ~NodeDialogue() override { channel_->close(); }

  void start() override;
  void process_ended() override;
  [[nodiscard]] bool counts_turns() const override { return true; }
  void ping() override { link_->probe(); }

 private:
  void on_line(std::string_view line);
  void on_message(const node::Unknown&) {}
  void on_message(const node::Online&);
  void on_message(const node::QueryServer& query);
  void on_message(const node::Listening& listening);
  void on_message(const node::Close& close);
  void on_message(const node::ExitedAfterDisconnect& message);
  void on_message(const node::Answer& answer);
  void on_message(const node::HandleAck&);
  void on_message(const node::HandleNack&);
  void on_message(const node::Handle& handle);
  void on_message(const node::CountSockets& count);
  void on_message(const node::NotifyClose& close);
  void on_message(const node::User& user);
  void on_message(const node::UserTooLarge&);

  [[nodiscard]] Result<core::ListenerIndex> open(const node::Endpoint& at);
  void reply_with(core::ListenerIndex index, node::Reply reply);
  void on_user_line(std::string_view line);
  void go_on();
  void join_messages();
  void look_whether_ready(bool said_so);
  void on_end();
  void say_once(bool& said, const std::string& what);
  void happened(core::ChildEvent event) { needs_.happened(partner_.id, std::move(event)); }
  void broke(std::string how) { happened(core::BrokeProtocol{std::move(how)}); }

  const DialogueNeeds& needs_;
  DialoguePartner partner_;
  std::shared_ptr<Channel> channel_;
  std::shared_ptr<NodeLink> link_;
  NodeLane* lane_;                        ///< the dispatcher's, for as long as it has the child
  std::unique_ptr<NodeLane> lane_to_be_;  ///< before that
  core::NodeServers servers_;
  boost::asio::steady_timer online_timer_;
  bool online_ = false;
  bool ready_ = false;
  bool in_messages_ = false;
  bool told_of_handle_ = false;
  bool told_of_size_ = false;
};

}  // namespace clusterd::runtime
