#pragma once

#include "clusterd/message.hpp"
#include "common/clock.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace clusterd::detail {

/// What this process has asked others and waits to be answered: each handler is given out once.
class Requests {
 public:
  using Handler = std::function<void(const Answer&)>;

  /// The numbers go up from `first`. A process that gets the pid of one that has ended should not
  /// get its answers, so it should begin elsewhere.
  explicit Requests(std::int64_t first) : next_(first) {}

  /// Gives the request's number.
  [[nodiscard]] std::int64_t add(Handler handler, TimePoint deadline);
  /// Empty if nobody waits for that answer: it came too late, or twice.
  [[nodiscard]] Handler take(std::int64_t request);
  [[nodiscard]] std::vector<Handler> take_expired(TimePoint now);
  [[nodiscard]] std::vector<Handler> take_all();

  /// When the next one expires.
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;

 private:
  struct Waiting {
    Handler handler;
    TimePoint deadline;
  };

  std::int64_t next_;
  std::map<std::int64_t, Waiting> waiting_;
  std::set<std::pair<TimePoint, std::int64_t>> deadlines_;
};

}  // namespace clusterd::detail
