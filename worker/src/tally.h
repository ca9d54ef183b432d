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

  void opened() { page->active.fetch_add(1, std::memory_order_relaxed); }
  void closed();

  handoff::Page* page = nullptr;
  UniqueFd changed;  ///< eventfd: written when the last connection closes while draining
  std::atomic<bool> draining{false};
};

}  // namespace clusterd::detail
