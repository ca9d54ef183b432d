#pragma once

#include "master/core/balancer.h"

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clusterd::core {

/// The servers that one Node worker has open, by listener: one each, since a worker knows a server
/// by its key, and the same key twice ends it. And whether it is ready: at least one of them
/// listens, and none is still about to.
class NodeServers {
 public:
  /// False if it has one: EADDRINUSE, as from Node itself.
  [[nodiscard]] bool open(ListenerIndex listener) {
    if (has(listener)) return false;
    open_ |= bit(listener);
    expected_.push_back(listener);
    return true;
  }
  /// It says that one listens: the first that was opened, since they are answered in order.
  std::optional<ListenerIndex> listening() {
    if (expected_.empty()) return std::nullopt;
    const ListenerIndex first = expected_.front();
    expected_.erase(expected_.begin());
    listens_ = true;
    return first;
  }
  void close(ListenerIndex listener) {
    open_ &= ~bit(listener);
    std::erase(expected_, listener);
  }

  [[nodiscard]] bool has(ListenerIndex listener) const { return (open_ & bit(listener)) != 0; }
  [[nodiscard]] bool ready() const { return listens_ && expected_.empty(); }

  /// What the worker calls the server of this listener.
  [[nodiscard]] static std::string key_of(ListenerIndex listener) {
    return "clusterd:" + std::to_string(listener);
  }
  /// The listener of one that is open.
  [[nodiscard]] std::optional<ListenerIndex> find(std::string_view key) const {
    for (std::uint64_t left = open_; left != 0; left &= left - 1) {
      const auto listener = static_cast<ListenerIndex>(std::countr_zero(left));
      if (key == key_of(listener)) return listener;
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] static std::uint64_t bit(ListenerIndex listener) {
    return std::uint64_t{1} << listener;
  }

  std::uint64_t open_ = 0;
  std::vector<ListenerIndex> expected_;  ///< of those, the ones that are not said to listen
  bool listens_ = false;
};
static_assert(kMaxListeners <= 64, "one bit a listener");

}  // namespace clusterd::core
