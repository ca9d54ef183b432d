#include "master/runtime/native_dialogue.h"
#include "master/runtime/node_cluster_dialogue.h"
#include "master/runtime/node_fork_dialogue.h"

#include <utility>

namespace clusterd::runtime {

using config::Protocol;

bool has_channel(Protocol protocol) {
  switch (protocol) {
    case Protocol::native:
    case Protocol::node:
    case Protocol::node_fork:
      return true;
    case Protocol::listen_fds:
    case Protocol::none:
      break;
  }
  return false;
}

std::string why_not(Protocol protocol) {
  switch (protocol) {
    case Protocol::native:
    case Protocol::node:
    case Protocol::node_fork:
      return "";
    case Protocol::listen_fds:
      return R"(protocol = "listen-fds" is not available in this version)";
    case Protocol::none:
      return R"(protocol = "none" is not available in this version)";
  }
  return "";
}

std::unique_ptr<Dialogue> dialogue_of(Protocol protocol, const DialogueNeeds& needs,
                                      DialoguePartner partner) {
  switch (protocol) {
    case Protocol::native:
      return std::make_unique<NativeDialogue>(needs, std::move(partner));
    case Protocol::node:
      return std::make_unique<NodeClusterDialogue>(needs, std::move(partner));
    case Protocol::node_fork:
      return std::make_unique<NodeForkDialogue>(needs, std::move(partner));
    case Protocol::listen_fds:
    case Protocol::none:
      break;
  }
  return nullptr;
}

}  // namespace clusterd::runtime
