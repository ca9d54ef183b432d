#include "master/runtime/fds_dialogue.h"
#include "master/runtime/native_dialogue.h"
#include "master/runtime/node_cluster_dialogue.h"
#include "master/runtime/node_fork_dialogue.h"
#include "master/runtime/program_dialogue.h"

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

namespace {

std::unique_ptr<Dialogue> of_program(Protocol protocol, const DialogueNeeds& needs,
                                     DialoguePartner partner) {
  switch (protocol) {
    case Protocol::native:
      return std::make_unique<NativeProgramDialogue>(needs, std::move(partner));
    case Protocol::node:
    case Protocol::node_fork:
      return std::make_unique<ForkedProgramDialogue>(needs, std::move(partner));
    case Protocol::listen_fds:
    case Protocol::none:
      break;
  }
  return std::make_unique<FdsDialogue>(needs, std::move(partner));
}

}  // namespace

std::unique_ptr<Dialogue> dialogue_of(Protocol protocol, const DialogueNeeds& needs,
                                      DialoguePartner partner) {
  if (partner.id.role == Role::program) return of_program(protocol, needs, std::move(partner));
  switch (protocol) {
    case Protocol::native:
      return std::make_unique<NativeDialogue>(needs, std::move(partner));
    case Protocol::node:
      return std::make_unique<NodeClusterDialogue>(needs, std::move(partner));
    case Protocol::node_fork:
      return std::make_unique<NodeForkDialogue>(needs, std::move(partner));
    case Protocol::listen_fds:
    case Protocol::none:
      return std::make_unique<FdsDialogue>(needs, std::move(partner));
  }
  return nullptr;
}

}  // namespace clusterd::runtime
