#pragma once

#include "common/error.h"
#include "master/os/shared_page.h"
#include "master/runtime/lane.h"

#include <boost/circular_buffer.hpp>

#include <cstdint>
#include <deque>
#include <optional>

namespace clusterd::runtime {

/// The way of connections to one native worker: the socket they go over, the page on which they are
/// taken, and the master's copies of those that are offered.
class OfferLane final : public Lane {
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

  [[nodiscard]] std::uint32_t window() const override {
    return static_cast<std::uint32_t>(copies_.capacity());
  }
  void add(Accepted connection) override;
  [[nodiscard]] std::size_t unsent() const override { return unsent_; }
  [[nodiscard]] Sent send(core::OfferLedger& ledger, std::deque<Accepted>& back) override;
  [[nodiscard]] std::optional<std::uint32_t> collect(core::OfferLedger& ledger, TimePoint now,
                                                     std::deque<Accepted>& back) override;
  [[nodiscard]] bool revoke(core::OfferLedger& ledger, TimePoint now,
                            std::deque<Accepted>& back) override;
  [[nodiscard]] std::uint64_t revocable() const override;
  void reopen(const core::OfferLedger& ledger) override;
  void end() override;

  [[nodiscard]] int wake_fd() const override { return wake_.get(); }
  void want_wake(std::uint32_t when) override;
  void want_room() override { page_->want_room.store(1); }

  [[nodiscard]] std::uint32_t active() const override { return page_->active.load(); }
  [[nodiscard]] std::uint32_t dropped() const override { return page_->dropped.load(); }
  [[nodiscard]] std::uint64_t requests() const override { return page_->requests.load(); }
  [[nodiscard]] std::uint64_t turns() const override { return page_->turns.load(); }
  [[nodiscard]] std::uint64_t accepted(core::ListenerIndex listener) const override {
    return page_->accepted[listener].load();
  }

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
