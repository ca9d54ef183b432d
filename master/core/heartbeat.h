#pragma once

#include "common/clock.h"

#include <cstdint>
#include <optional>

namespace clusterd::core {

/// Whether one worker's loop still turns. The worker counts its turns, and a tick compares. A loop
/// that has nothing to do does not turn, so one that was not seen to for half of the timeout is
/// pinged, which makes it. It is hung if it was not seen to turn for all of `timeout`.
///
/// Only ticks that come in time count. After a late one the master itself had been stopped, or the
/// whole machine, and nobody knows for how long the worker could have run: its patience begins
/// anew. So a worker is killed only if the master was there to see it for all of `timeout`.
class Heartbeat {
 public:
  enum class Verdict : std::uint8_t { nothing, ping, hung };

  /// `timeout` 0 = never hung.
  explicit Heartbeat(Duration timeout) : timeout_(timeout) {}

  /// The longest time from tick to tick: the timeout in equal parts, four at least.
  [[nodiscard]] static Duration pace(Duration timeout);

  /// When to tick again: the ticks of all who have one timeout are at the same points in time, a
  /// pace apart, but for those at which its patience is half over or over. So a hang is found at
  /// most a pace later than the timeout, which is less than a second.
  [[nodiscard]] TimePoint next_tick(TimePoint now) const;

  [[nodiscard]] Duration timeout() const { return timeout_; }

  /// `turns` is the worker's claim; all that counts is that it changes. Once it is hung, it is that
  /// at each tick.
  [[nodiscard]] Verdict tick(TimePoint now, std::uint64_t turns);

  /// It is given `timeout` once more.
  void forgive() { waited_ = Duration::zero(); }

 private:
  Duration timeout_;
  TimePoint last_tick_{};
  std::optional<std::uint64_t> turns_;
  bool pinged_ = false;  ///< since it last was seen to turn
  Duration waited_{};    ///< since then, in ticks that came in time
};

}  // namespace clusterd::core
