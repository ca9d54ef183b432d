#pragma once

#include "common/error.h"
#include "common/handoff.h"
#include "common/unique_fd.h"
#include "master/core/balancer.h"
#include "master/os/shared_page.h"

#include <boost/circular_buffer.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace clusterd::runtime {

/// A connection that the master accepted and no worker has taken yet.
struct Accepted {
  UniqueFd fd;
  handoff::Offer offer;
  TimePoint at{};  ///< when it was accepted
};

/// The way of connections to one worker: the socket they go over, the page on which they are taken,
/// and the master's copies of those that are offered. The books are in core::OfferLedger; this is
/// what they mean in the kernel.
class OfferLane {
 public:
  /// The worker's ends, to be sent with the welcome.
  struct WorkerEnds {
    UniqueFd connections;
    UniqueFd page;
    UniqueFd wake;
  };

  [[nodiscard]] static Result<OfferLane> create(std::uint32_t window);

  /// Gives the worker's ends away; once.
  [[nodiscard]] WorkerEnds take_worker_ends() { return std::move(worker_ends_); }

  /// Written by the worker when it takes or drops something that the master asked to be told of.
  [[nodiscard]] int wake_fd() const { return wake_.get(); }

  /// Puts a connection that the ledger was charged with at the end; send() sends it.
  void add(Accepted connection);
  [[nodiscard]] std::size_t unsent() const { return unsent_; }

  enum class Sent : std::uint8_t { all, full, broken };
  /// Sends all that is unsent. On full or broken the connections that did not go are in `back`, and
  /// the ledger has them withdrawn.
  [[nodiscard]] Sent send(core::OfferLedger& ledger, std::deque<Accepted>& back);

  /// Reads what the worker has taken and closes the copies of it. The number taken since the last
  /// time, or nothing if it lies.
  [[nodiscard]] std::optional<std::uint32_t> collect(core::OfferLedger& ledger, TimePoint now);

  /// Takes back all that the worker has not taken. False if it lies about that.
  [[nodiscard]] bool revoke(core::OfferLedger& ledger, TimePoint now, std::deque<Accepted>& back);

  /// After a revoke: the worker has thrown its copies away, so it may be offered again.
  void reopen(const core::OfferLedger& ledger);

  /// In band, behind the last offer: there will be no more.
  void end();

  /// What is to wake the master (handoff::wake); kNever while it is awake.
  void want_wake(std::uint32_t when);

  /// Asks to be woken when the worker closes a connection.
  void want_room() { page_->want_room.store(1); }

  [[nodiscard]] const handoff::Page& page() const { return *page_; }

 private:
  OfferLane(os::SharedPage page, UniqueFd connections, UniqueFd wake, WorkerEnds ends,
            std::uint32_t window)
      : page_(std::move(page)),
        connections_(std::move(connections)),
        wake_(std::move(wake)),
        worker_ends_(std::move(ends)),
        copies_(window) {}

  [[nodiscard]] Sent send_batch(std::uint32_t first_sequence, std::size_t at, std::uint32_t count);
  [[nodiscard]] bool set_limit(std::uint32_t limit);
  void close_copies(std::uint32_t count);

  os::SharedPage page_;
  UniqueFd connections_;
  UniqueFd wake_;
  WorkerEnds worker_ends_;
  boost::circular_buffer<Accepted> copies_;  ///< oldest first; the last `unsent_` are not sent yet
  std::size_t unsent_ = 0;
  std::uint32_t wake_wanted_ = handoff::wake::kNever;
};

}  // namespace clusterd::runtime
