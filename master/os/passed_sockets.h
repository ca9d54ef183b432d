#pragma once

#include "common/error.h"
#include "common/unique_fd.h"

#include <string>
#include <string_view>
#include <vector>

namespace clusterd::os {

/// The sockets that the service manager has opened for this process and passed to it (systemd's
/// socket activation). They are the manager's: it has them open too, and keeps them, with whoever
/// is in their queue, for the next start.
class PassedSockets {
 public:
  void add(std::string name, UniqueFd socket);

  /// A copy of the one of this name. The error says what there is instead.
  [[nodiscard]] Result<UniqueFd> find(std::string_view name) const;
  [[nodiscard]] std::vector<int> descriptors() const;
  /// Closes those whose names are not among `wanted`; gives what they were, one line each.
  [[nodiscard]] std::vector<std::string> close_all_but(const std::vector<std::string>& wanted);

 private:
  struct Socket {
    std::string name;
    UniqueFd fd;
  };

  std::vector<Socket> sockets_;
  std::vector<std::string> closed_;  ///< their names
};

}  // namespace clusterd::os
