#pragma once

#include "common/clock.h"

#include <cstdint>
#include <optional>

namespace clusterd::core {

/// The books on the connections offered to one worker. Each offer has a number, its sequence,
/// counted from 0 modulo 2^32. The worker takes them in order, and only the count of those taken
/// comes back; it is the worker's claim, so each one is checked here before it is believed.
///
///     taken <= sent <= taken + window
///
/// An offer is in exactly one of three hands: not yet offered, offered (the master keeps a copy),
/// or taken. Revoking moves all that is offered back to the master at once; the worker then has to
/// confirm that it threw its copies away before it is offered anything again.
class OfferLedger {
 public:
  enum class State : std::uint8_t {
    open,     ///< may be offered connections while it has credit
    full,     ///< the kernel refused a message: closed until it takes one, or the retry
    revoked,  ///< its offers were taken back; waits for the worker to confirm
    ended,    ///< will never be offered anything again
  };

  /// `first` is the first offer's number; anything but 0 is for tests of the wrap-around.
  explicit OfferLedger(std::uint32_t window, std::uint32_t first = 0)
      : window_(window), sent_(first), taken_(first) {}

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::uint32_t sent() const { return sent_; }
  [[nodiscard]] std::uint32_t taken() const { return taken_; }
  [[nodiscard]] std::uint32_t pending() const { return sent_ - taken_; }
  [[nodiscard]] std::uint64_t taken_in_all() const { return taken_in_all_; }
  [[nodiscard]] std::uint32_t credit() const {
    return state_ == State::open ? window_ - pending() : 0;
  }

  /// One more connection is offered. Needs credit.
  void offer(TimePoint now);

  /// The last `count` offers could not be sent: they count as never made.
  void withdraw(std::uint32_t count);

  /// The kernel would not carry more for now.
  void mark_full();
  /// The retry after mark_full() is due.
  void retry();

  /// The worker says `taken`. Gives how many offers that frees, or nothing if it is a lie (more
  /// than was sent, or less than it said before).
  [[nodiscard]] std::optional<std::uint32_t> claim(std::uint32_t taken, TimePoint now);

  /// All offers not taken are the master's again; if there are none, nothing changes. Call claim()
  /// first with what the worker had taken at the moment of revoking. Gives how many came back.
  [[nodiscard]] std::uint32_t revoke();

  /// The worker says that it threw away everything before `sequence`. True if that reopened it.
  [[nodiscard]] bool dropped(std::uint32_t sequence);

  void end() { state_ = State::ended; }

  /// It holds offers and has taken none for `timeout`.
  [[nodiscard]] bool stalled(TimePoint now, Duration timeout) const {
    return pending() > 0 && now - progress_at_ >= timeout;
  }

 private:
  std::uint32_t window_;
  std::uint32_t sent_;
  std::uint32_t taken_;
  std::uint64_t taken_in_all_ = 0;
  State state_ = State::open;
  TimePoint progress_at_;  ///< of the last take, or of the first offer to an idle worker
};

}  // namespace clusterd::core
