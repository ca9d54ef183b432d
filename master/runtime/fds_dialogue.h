#pragma once

#include "common/clock.h"
#include "common/unique_fd.h"
#include "master/runtime/dialogue.h"
#include "master/runtime/probe.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <optional>
#include <vector>

namespace clusterd::runtime {

/// A worker without a channel: a program that inherits its listeners, or needs none. That it lives
/// is known from the kernel, that it serves from what it says on NOTIFY_SOCKET or from what a
/// client would see, and it is asked to leave by a signal.
class FdsDialogue final : public Dialogue {
 public:
  FdsDialogue(const DialogueNeeds& needs, DialoguePartner partner);
  ~FdsDialogue() override;

  void start() override { watch_exec(); }
  void left_rotation() override;
  void process_ended() override;
  void on_notice(const notify::Said& said) override;

 private:
  void watch_exec();
  void executed();
  void wait_until_old(Duration age);
  void probe();
  void be_ready();
  void keep_queues();
  [[nodiscard]] bool nobody_comes() const;
  void ask_to_leave(TimePoint deadline);
  void happened(core::ChildEvent event) { needs_.happened(partner_.id, std::move(event)); }

  const DialogueNeeds& needs_;
  DialoguePartner partner_;
  const config::Worker worker_;
  boost::asio::posix::stream_descriptor exec_;
  boost::asio::steady_timer timer_;
  std::optional<Probe> probe_;
  std::vector<UniqueFd> queues_;  ///< copies of what clients wait in, to see that nobody is left
  bool executed_ = false;
  bool notified_ = false;
  bool stopping_ = false;  ///< it said so
};

}  // namespace clusterd::runtime
