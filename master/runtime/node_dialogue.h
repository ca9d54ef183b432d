#pragma once

#include "common/envelope.h"
#include "common/error.h"
#include "common/node_protocol.h"
#include "common/node_reply.h"
#include "common/program_lines.h"
#include "master/runtime/dialogue.h"
#include "master/runtime/node_lane.h"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace clusterd::runtime {

/// With a process of Node, or who speaks as one: what a worker of a cluster and a plain child have
/// in common. Connections and other descriptors go over the channel; the program's messages go to
/// other programs; its loop can be seen to turn.
class NodeDialogue : public Dialogue {
 public:
  NodeDialogue(const DialogueNeeds& needs, DialoguePartner partner, NodeLane::Style style);
  ~NodeDialogue() override { channel_->close(); }

  void start() override;
  void process_ended() override;
  [[nodiscard]] bool counts_turns() const override { return true; }
  void ping() override { link_->probe(); }

 protected:
  // What only a worker of a cluster says.
  virtual void on_online() {}
  virtual void on_query(const node::QueryServer& /*query*/) {}
  virtual void on_listening() {}
  virtual void on_close(const node::Close& /*close*/) {}
  virtual void on_leaving(const node::ExitedAfterDisconnect& /*message*/) {}

  /// What it has to do to be ready.
  [[nodiscard]] virtual std::string unasked() const = 0;
  virtual void on_ready() {}
  /// It has answered a probe.
  virtual void on_alive() {}
  /// Its program has sent any message.
  virtual void on_spoke() {}
  /// A descriptor that is no connection has arrived.
  virtual void on_arrived() {}
  /// Its program has sent a message to others.
  /// An exception has escaped a handler of it, and it lives on.
  virtual void on_failed(const protocol::Failed& /*failed*/) {}
  /// It leaves of its own accord, when it has finished what it has.
  [[nodiscard]] bool has_said_suicide() const { return said_suicide_; }
  virtual void on_envelope(const CheckedJson& /*message*/) {}
  /// It can be sent connections. Fails the child if not.
  [[nodiscard]] virtual Result<void> join();
  /// It is not ready by what it does: its program has to say so.
  [[nodiscard]] virtual bool has_to_say_ready() const;

  /// It runs: it can be sent connections when it is ready.
  void came_online();
  [[nodiscard]] bool is_online() const { return online_; }
  [[nodiscard]] bool is_ready() const { return ready_; }
  /// What there is to wait for is there, or the program says so itself.
  void became_ready(bool said_so);
  /// Its own socket for the listener, by the line that is for it.
  void share(core::ListenerIndex index, std::string line);

  void happened(core::ChildEvent event) { needs_.happened(partner_.id, std::move(event)); }
  void broke(std::string how) { happened(core::BrokeProtocol{std::move(how)}); }
  [[nodiscard]] const DialogueNeeds& needs() const { return needs_; }
  [[nodiscard]] const DialoguePartner& partner() const { return partner_; }
  [[nodiscard]] NodeLink& link() { return *link_; }

 private:
  void on_line(std::string_view line);
  void on(const node::Unknown&) {}
  void on(const node::Online&) { on_online(); }
  void on(const node::QueryServer& query) { on_query(query); }
  void on(const node::Listening&) { on_listening(); }
  void on(const node::Close& close) { on_close(close); }
  void on(const node::ExitedAfterDisconnect& message) { on_leaving(message); }
  void on(const node::Answer& answer);
  void on(const node::HandleAck&);
  void on(const node::HandleNack&);
  void on(const node::Handle& handle);
  void on(const node::CountSockets& count) { link_->say(node::count_is_zero(count.key)); }
  void on(const node::NotifyClose& close) { link_->say(node::all_closed(close.key)); }
  void on(const node::User& user);
  void on(const node::UserTooLarge&);

  [[nodiscard]] bool pass_on(const node::Handle& handle, UniqueFd fd);
  void on_user_line(std::string_view line);
  void on_end();
  void go_on();
  void join_messages();
  void say_once(bool& said, const std::string& what);

  const DialogueNeeds& needs_;
  DialoguePartner partner_;
  std::shared_ptr<Channel> channel_;
  std::shared_ptr<NodeLink> link_;
  std::unique_ptr<NodeLane> lane_to_be_;  ///< until it is online
  NodeLane* lane_;                        ///< that, or by then the dispatcher's
  boost::asio::steady_timer online_timer_;
  bool online_ = false;
  bool said_suicide_ = false;
  bool ready_ = false;
  bool in_messages_ = false;
  bool told_of_handle_ = false;
  bool told_of_size_ = false;
};

}  // namespace clusterd::runtime
