#include "master/runtime/timers.h"

namespace clusterd::runtime {

void Timers::set(core::TimerId id, TimePoint at) {
  const bool earliest = deadlines_.empty() || at < deadlines_.begin()->first;
  deadlines_.emplace(at, id);
  if (earliest) arm();
}

void Timers::clear() {
  deadlines_.clear();
  timer_.cancel();
}

void Timers::arm() {
  timer_.expires_at(deadlines_.begin()->first);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    const TimePoint now = Clock::now();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      const core::TimerId id = deadlines_.begin()->second;
      deadlines_.erase(deadlines_.begin());
      fired_(id);
    }
    if (!deadlines_.empty()) arm();
  });
}

}  // namespace clusterd::runtime
