#pragma once

#include "common/clock.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

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
///
/// A worker is stalled if an offer has lain untaken for stall_timeout, whether it takes nothing or
/// only too slowly. What it then gets back is a smaller window: half of what it took while that
/// offer waited, so that it will take all that it is offered in about half of the time. The window
/// doubles again once it has been quick for stall_timeout. Quick is an oldest offer of at most a
/// quarter of the time at five looks in a row, and then all of a window took at most half of it:
/// twice the window is still taken in time, and a worker of a steady speed is not taken back from
/// again and again.
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
      : window_(window), sent_(first), taken_(first), offers_(window) {}

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::uint32_t sent() const { return sent_; }
  [[nodiscard]] std::uint32_t taken() const { return taken_; }
  [[nodiscard]] std::uint32_t pending() const { return sent_ - taken_; }
  [[nodiscard]] std::uint64_t taken_in_all() const { return taken_in_all_; }
  /// When it last was seen to have taken one; TimePoint{} if never.
  [[nodiscard]] TimePoint took_at() const { return took_at_; }
  [[nodiscard]] std::uint32_t credit() const {
    return state_ == State::open && pending() < window_ ? window_ - pending() : 0;
  }
  /// How many it may have untaken now: what it was made with, or fewer after a stall.
  [[nodiscard]] std::uint32_t window() const { return window_; }

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

  /// It says of the oldest `count` that it does not want them. They are the master's again, and it
  /// is closed until the retry, so that others get them.
  void decline(std::uint32_t count);
  /// It declined, and the retry is not due yet.
  [[nodiscard]] bool declines() const { return declined_ && state_ == State::full; }

  /// All offers not taken are the master's again; if there are none, nothing changes. Call claim()
  /// first with what the worker had taken at the moment of revoking. Gives how many came back.
  [[nodiscard]] std::uint32_t revoke();

  /// The worker says that it threw away everything before `sequence`. True if that reopened it.
  [[nodiscard]] bool dropped(std::uint32_t sequence);

  void end() { state_ = State::ended; }

  /// How long its oldest untaken offer has lain there; 0 if there is none.
  [[nodiscard]] Duration age(TimePoint now) const {
    return pending() > 0 ? now - offers_[oldest_].at : Duration::zero();
  }
  [[nodiscard]] bool stalled(TimePoint now, Duration timeout) const {
    return pending() > 0 && age(now) >= timeout;
  }

  /// It is stalled and will be revoked for that: makes its window smaller.
  void narrow();

  /// To be called four times within `timeout`, the time after which it is stalled: makes a window
  /// larger again that was made smaller.
  void look(TimePoint now, Duration timeout);

 private:
  struct Offer {
    TimePoint at;
    std::uint32_t ahead = 0;  ///< how many it had to take before this one
  };

  [[nodiscard]] std::size_t place(std::uint32_t offset) const {
    const std::size_t at = oldest_ + offset;
    return at < offers_.size() ? at : at - offers_.size();
  }

  std::uint32_t window_;
  std::uint32_t sent_;
  std::uint32_t taken_;
  std::uint64_t taken_in_all_ = 0;
  TimePoint took_at_{};
  State state_ = State::open;
  bool declined_ = false;           ///< that is why it is full
  std::vector<Offer> offers_;       ///< a ring of those not taken
  std::size_t oldest_ = 0;          ///< in it
  unsigned quick_looks_ = 0;        ///< in a row
  std::uint64_t taken_before_ = 0;  ///< in all, when the window was last changed
};

}  // namespace clusterd::core
