#pragma once

#include "master/runtime/event.h"
#include "master/runtime/reply.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace clusterd::runtime {

/// The last events of the cluster, for who asks and for who follows. Bounded in number and bytes,
/// whatever happens; a follower that does not read what happens is dropped by its connection.
class EventLog {
 public:
  /// Each event, by name and as its line of JSON.
  using Recorded = std::function<void(const std::string& name, const std::string& json)>;

  explicit EventLog(Recorded recorded) : recorded_(std::move(recorded)) {}

  /// Gives the event its number and time, keeps it, and tells those that follow. One that is not
  /// worth keeping, since there are many such, is only told.
  void record(const Event& event, bool keep = true);

  /// The verb `events`: what there is, one event a line, and, to `follow`, what comes.
  void answer(bool follow, const Reply& reply);

 private:
  Recorded recorded_;
  std::deque<std::string> lines_;
  std::size_t bytes_ = 0;
  std::uint64_t next_seq_ = 1;
  std::vector<Reply> followers_;
};

}  // namespace clusterd::runtime
