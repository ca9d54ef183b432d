#pragma once

#include "common/ids.h"
#include "common/recipient.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace clusterd::core {

/// Who gets a message of a program. The one routing table there is: children know nobody but the
/// master, so that nobody's view can be out of date.
class MessageRouter {
 public:
  /// A child that can be sent messages from now on.
  void add(ChildId child, std::int64_t pid, std::optional<SlotId> slot);
  /// It may (not) be the one that is picked for a message to any one worker.
  void set_ready(ChildId child, bool ready);
  void remove(ChildId child);

  /// In the order of their ids; nobody if there is nobody.
  [[nodiscard]] std::vector<ChildId> receivers(ChildId sender, const Recipient& to);
  /// The same into `found`, whose memory is used again.
  void receivers(ChildId sender, const Recipient& to, std::vector<ChildId>& found);
  /// All of them.
  [[nodiscard]] std::vector<ChildId> everybody() const;

 private:
  struct Member {
    ChildId child;
    std::int64_t pid = 0;
    std::optional<SlotId> slot;
    bool ready = false;
  };

  /// The next worker that is ready after the one picked before. In turn is as good as at random
  /// for the sender, and even.
  void pick(std::vector<ChildId>& found);
  void in_slot(std::int64_t slot, std::vector<ChildId>& found) const;
  [[nodiscard]] Member* find(ChildId child);

  std::vector<Member> members_;  ///< sorted by id
  ChildId picked_{};
};

}  // namespace clusterd::core
