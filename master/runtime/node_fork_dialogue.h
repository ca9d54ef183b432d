#pragma once

#include "master/runtime/node_dialogue.h"

namespace clusterd::runtime {

/// With a plain child of Node, as child_process.fork() makes them. It is sent each listener that
/// its workers share as the message "server" with a net.Server, and else each connection as the
/// message "connection" with a net.Socket. It is asked to leave by the end of the channel: it hears
/// 'disconnect', and Node ends it when it has nothing left to do.
class NodeForkDialogue : public NodeDialogue {
 public:
  NodeForkDialogue(const DialogueNeeds& needs, DialoguePartner partner)
      : NodeDialogue(needs, std::move(partner), NodeLane::Style::fork) {}

  void start() override;

 private:
  void on_alive() override;
  [[nodiscard]] std::string unasked() const override {
    return "it has not taken what it is to listen on";
  }
  /// What it says while it starts comes before its answer.
  void on_spoke() override { on_alive(); }
  void on_arrived() override;
  void send_listeners();

  unsigned servers_ = 0;  ///< that have not arrived yet
};

}  // namespace clusterd::runtime
