#pragma once

#include "common/handoff.h"
#include "common/unique_fd.h"
#include "worker/src/tally.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

namespace clusterd::detail {

/// A connection that the master offered and this worker has not taken yet.
struct Offered {
  UniqueFd fd;
  handoff::Offer offer;
  std::uint32_t sequence = 0;
};

/// The worker's end of the fast path: receives offers, takes them one at a time by compare-and-swap
/// on the shared page, and throws away those that the master took back.
class OfferQueue {
 public:
  OfferQueue(UniqueFd socket, UniqueFd wake_master, std::shared_ptr<Tally> tally)
      : socket_(std::move(socket)), tally_(std::move(tally)) {
    tally_->wake_master = std::move(wake_master);
  }

  [[nodiscard]] int fd() const { return socket_.get(); }

  enum class Received : std::uint8_t {
    nothing,
    offers,
    lacking,  ///< some descriptors of a message did not arrive: see refused_from()
    ended,    ///< the master will offer nothing more
    malformed,
  };
  /// Reads one message.
  [[nodiscard]] Received receive();
  [[nodiscard]] std::uint32_t refused_from() const { return refused_from_; }

  /// The listener of the oldest offer that is still ours to take. Throws away what is not.
  [[nodiscard]] std::optional<std::uint32_t> front();
  /// Takes the oldest offer; nothing if the master was quicker.
  [[nodiscard]] std::optional<Offered> take();

  /// The master answered a refusal: it has everything back.
  void revoked();

 private:
  [[nodiscard]] handoff::Window window() const;
  void drop_front();
  void publish_dropped();

  UniqueFd socket_;
  std::shared_ptr<Tally> tally_;
  std::deque<Offered> queue_;
  std::uint32_t next_sequence_ = 0;
  std::uint32_t refused_from_ = 0;
  bool dropped_some_ = false;
};

}  // namespace clusterd::detail
