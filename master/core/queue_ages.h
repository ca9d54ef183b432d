#pragma once

#include "common/clock.h"

#include <cstdint>
#include <deque>

namespace clusterd::core {

/// How long connections have waited in the kernel's queue, of which only the length is known. It is
/// first in, first out, so who had arrived by the time of an old look has waited since then at
/// least. Keeps as many looks as fit into `age`.
class QueueAges {
 public:
  /// `arrived` counts all that ever came: taken out so far, and in the queue.
  void look(TimePoint now, std::uint64_t arrived) { looks_.push_back({now, arrived}); }

  /// How many of all that ever came had come by `now - age`. 0 if there was no look so long ago.
  [[nodiscard]] std::uint64_t older_than(TimePoint now, Duration age) {
    std::uint64_t arrived = 0;
    for (const Look& look : looks_) {
      if (look.at + age <= now) arrived = look.arrived;
    }
    // Of the looks that are old enough only the latest matters, also the next time.
    while (looks_.size() > 1 && looks_[1].at + age <= now) looks_.pop_front();
    return arrived;
  }

  void clear() { looks_.clear(); }
  [[nodiscard]] std::size_t looks() const { return looks_.size(); }

 private:
  struct Look {
    TimePoint at;
    std::uint64_t arrived;
  };
  std::deque<Look> looks_;
};

}  // namespace clusterd::core
