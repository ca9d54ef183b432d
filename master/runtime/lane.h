#pragma once

#include "common/clock.h"
#include "common/handoff.h"
#include "common/unique_fd.h"
#include "master/core/balancer.h"

#include <cstdint>
#include <deque>
#include <optional>

namespace clusterd::runtime {

/// A connection that the master accepted and no worker has taken yet.
struct Accepted {
  UniqueFd fd;
  handoff::Offer offer;
  TimePoint at{};  ///< when it was accepted
};

/// The way of connections to one worker, as its protocol has it. The books are in
/// core::OfferLedger; this is what they mean in the kernel.
class Lane {
 public:
  virtual ~Lane() = default;

  /// How many connections it may be charged with that are not taken.
  [[nodiscard]] virtual std::uint32_t window() const = 0;

  /// Puts a connection that the ledger was charged with at the end; send() sends it.
  virtual void add(Accepted connection) = 0;
  [[nodiscard]] virtual std::size_t unsent() const = 0;

  enum class Sent : std::uint8_t { all, full, broken };
  /// Sends what can be sent now. On full or broken the connections that did not go are in `back`,
  /// and the ledger has them withdrawn.
  [[nodiscard]] virtual Sent send(core::OfferLedger& ledger, std::deque<Accepted>& back) = 0;

  /// Finds out what the worker has taken and closes the copies of it. What it refused is in `back`.
  /// The number taken since the last time, or nothing if it lies.
  [[nodiscard]] virtual std::optional<std::uint32_t> collect(core::OfferLedger& ledger,
                                                             TimePoint now,
                                                             std::deque<Accepted>& back) = 0;

  /// Takes back all that the worker has not taken and cannot take any more. False if it lies about
  /// that.
  [[nodiscard]] virtual bool revoke(core::OfferLedger& ledger, TimePoint now,
                                    std::deque<Accepted>& back) = 0;

  /// Of which listeners those are that revoke() would give back: a bit each.
  [[nodiscard]] virtual std::uint64_t revocable() const = 0;

  /// After a revoke: the worker has thrown its copies away, so it may be offered again.
  virtual void reopen(const core::OfferLedger& ledger) = 0;

  /// In band, behind the last offer: there will be no more.
  virtual void end() = 0;

  /// An eventfd that the worker writes when it does what the master asked to be told of; below 0 if
  /// such news come by another way.
  [[nodiscard]] virtual int wake_fd() const = 0;
  /// What is to wake the master (handoff::wake); kNever while it is awake.
  virtual void want_wake(std::uint32_t when) = 0;
  /// Asks to be woken when the worker closes a connection.
  virtual void want_room() = 0;

  // What the worker says of itself. All are claims.
  [[nodiscard]] virtual std::uint32_t active() const = 0;
  [[nodiscard]] virtual std::uint32_t dropped() const = 0;
  [[nodiscard]] virtual std::uint64_t requests() const = 0;
  [[nodiscard]] virtual std::uint64_t turns() const = 0;
  [[nodiscard]] virtual std::uint64_t accepted(core::ListenerIndex listener) const = 0;

 protected:
  Lane() = default;
  Lane(Lane&&) = default;
  Lane& operator=(Lane&&) = default;
};

}  // namespace clusterd::runtime
