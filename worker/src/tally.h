#pragma once

#include "common/handoff.h"
#include "common/unique_fd.h"

#include <atomic>
#include <cstdint>

namespace clusterd::detail {

/// How many connections are open, where the master can see it. Outlives the Worker if connections
/// do. Without a master the page is this process's own.
struct Tally {
  Tally();
  /// Maps the page that the master shares.
  explicit Tally(int page_fd);
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;
  ~Tally();

  /// It holds as many as it may.
  [[nodiscard]] bool at_limit() const {
    return max_connections > 0 && page->active.load() >= max_connections;
  }

  void opened() { page->active.fetch_add(1, std::memory_order_relaxed); }
  void closed();

  /// Wakes the master if it asked to be. The page is written first, and then this looks; the master
  /// asks first, and then looks at the page: so one of the two always sees the other.
  void notify_master();

  handoff::Page* page = nullptr;
  UniqueFd changed;      ///< eventfd: the last connection closed while draining, or there is room
  UniqueFd wake_master;  ///< the master's eventfd; empty without one
  std::uint32_t max_connections = 0;  ///< 0 = no limit
  std::atomic<bool> draining{false};
};

}  // namespace clusterd::detail
