#pragma once

#include "master/runtime/lane.h"
#include "master/runtime/node_link.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

namespace clusterd::runtime {

/// The way of connections to one Node process, over its channel, one at a time. The master keeps
/// its copy until the process says that it has taken the connection; one that it was sent, and of
/// which it has said nothing, is in its hands for as long as it lives.
class NodeLane final : public Lane {
 public:
  enum class Style : std::uint8_t {
    cluster,  ///< for a server that listens; it answers whether that took it
    fork,     ///< as a message of the program; that it has arrived is all there is to know
  };

  NodeLane(std::shared_ptr<NodeLink> link, Style style, std::uint32_t window)
      : link_(std::move(link)), style_(style), window_(window) {}

  // What the process says, from its dialogue.
  void turned() { ++turns_; }
  void arrived();
  void lost();
  void answered(std::int64_t ack, bool accepted);
  /// Its end of the channel is closed: what it has not said to have taken it cannot take any more.
  void gone();

  /// Sends what can be sent now.
  void go_on();

  [[nodiscard]] std::uint32_t window() const override { return window_; }
  void add(Accepted connection) override;
  [[nodiscard]] std::size_t unsent() const override { return offered_.size() - sent_; }
  [[nodiscard]] Sent send(core::OfferLedger& ledger, std::deque<Accepted>& back) override;
  [[nodiscard]] std::optional<std::uint32_t> collect(core::OfferLedger& ledger, TimePoint now,
                                                     std::deque<Accepted>& back) override;
  [[nodiscard]] bool revoke(core::OfferLedger& ledger, TimePoint now,
                            std::deque<Accepted>& back) override;
  [[nodiscard]] std::uint64_t revocable() const override;
  void reopen(const core::OfferLedger& /*ledger*/) override {}
  void end() override;

  // What it knows comes by the channel.
  [[nodiscard]] int wake_fd() const override { return -1; }
  void want_wake(std::uint32_t /*when*/) override {}
  void want_room() override {}

  // It does not say how many it holds.
  [[nodiscard]] std::uint32_t active() const override { return 0; }
  [[nodiscard]] std::uint32_t dropped() const override { return 0; }
  [[nodiscard]] std::uint64_t requests() const override { return 0; }
  [[nodiscard]] std::uint64_t turns() const override { return turns_; }
  [[nodiscard]] std::uint64_t accepted(core::ListenerIndex /*at*/) const override { return 0; }

 private:
  struct Offered {
    Accepted connection;
    std::int64_t seq = 0;
  };

  void took(std::size_t at);
  void declined(std::size_t at);
  void remove(std::size_t at);

  std::shared_ptr<NodeLink> link_;
  Style style_;
  std::uint32_t window_;
  std::deque<Offered> offered_;    ///< oldest first
  std::size_t sent_ = 0;           ///< of them; the others wait for their turn
  std::int64_t on_its_way_ = -1;   ///< the last that was sent
  std::uint32_t taken_ = 0;        ///< since the last collect()
  std::deque<Accepted> declined_;  ///< as well
  std::uint64_t turns_ = 0;
};

}  // namespace clusterd::runtime
