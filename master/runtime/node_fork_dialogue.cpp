#include "master/runtime/node_fork_dialogue.h"

#include "master/runtime/dispatcher.h"
#include "master/runtime/generations.h"

namespace clusterd::runtime {

/// It says nothing by itself. What it is asked now it answers when Node runs.
void NodeForkDialogue::start() {
  NodeDialogue::start();
  link().probe();
}

void NodeForkDialogue::on_alive() {
  if (is_online()) return;
  came_online();
  send_listeners();
  if (servers_ == 0) became_ready(false);
}

void NodeForkDialogue::send_listeners() {
  Generations& generations = needs().generations;
  for (const core::ListenerIndex index : generations.listeners(partner().generation)) {
    const os::Listener& listener = *generations.listener(index);
    needs().dispatcher.serve(partner().id, index);
    if (listener.is_datagram()) {
      ++servers_;
      share(index, node::with_datagrams(R"("server")", listener.address().is_v6()));
    } else if (generations.listen(index).policy == config::Policy::accept_race) {
      ++servers_;
      share(index, node::with_handle("net.Server", R"("server")"));
    }
  }
}

void NodeForkDialogue::on_arrived() {
  if (servers_ > 0 && --servers_ == 0) became_ready(false);
}

}  // namespace clusterd::runtime
