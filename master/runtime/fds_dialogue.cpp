#include "master/runtime/fds_dialogue.h"

#include "common/log.h"
#include "master/runtime/child_spec.h"
#include "master/runtime/describe.h"
#include "master/runtime/dispatcher.h"
#include "master/runtime/generations.h"

#include <algorithm>
#include <fcntl.h>
#include <poll.h>
#include <utility>

namespace clusterd::runtime {
namespace {

using When = config::Ready::When;

constexpr auto kLook = std::chrono::milliseconds(5);
constexpr Duration kLongestLook = std::chrono::seconds(1);

}  // namespace

FdsDialogue::FdsDialogue(const DialogueNeeds& needs, DialoguePartner partner)
    : needs_(needs),
      partner_(std::move(partner)),
      worker_(program_of(needs.generations.settings(partner_.generation), partner_.id.role)),
      exec_(needs.io, partner_.process.exec_fd()),
      timer_(needs.io) {
  if (worker_.protocol == config::Protocol::listen_fds) keep_queues();
}

FdsDialogue::~FdsDialogue() {
  if (!executed_) exec_.release();  // it is the process's
}

/// At a stop the master closes its own before this worker has taken all that came.
void FdsDialogue::keep_queues() {
  for (const core::ListenerIndex index : needs_.generations.listeners(partner_.generation)) {
    const os::Listener& listener = *needs_.generations.listener(index);
    // A manager keeps what it has passed, and who waits there.
    if (listener.is_datagram() || listener.is_passed()) continue;
    queues_.emplace_back(::fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0));
  }
}

void FdsDialogue::watch_exec() {
  exec_.async_wait(boost::asio::posix::stream_descriptor::wait_read, unless_gone([this] {
                     if (partner_.process.has_execed()) executed();
                   }));
}

/// There is no hello: that its program runs is all that is to be known at once.
void FdsDialogue::executed() {
  executed_ = true;
  exec_.release();
  partner_.process.has_started();
  happened(core::SaidHello{});
  const config::Ready& ready = worker_.ready;
  switch (ready.when) {
    case When::started:
      return be_ready();
    case When::notified:
      if (notified_) return be_ready();
      return happened(core::Awaited{"it has not said READY=1 to its NOTIFY_SOCKET"});
    case When::automatic:
      if (notified_) return be_ready();
      [[fallthrough]];
    case When::listening:  // not of this protocol
    case When::message:
    case When::probed:
      return wait_until_old(ready.alive);
  }
}

void FdsDialogue::wait_until_old(Duration age) {
  timer_.expires_after(age);
  timer_.async_wait(unless_gone([this] {
    if (worker_.ready.tcp || !worker_.ready.http.empty()) return probe();
    be_ready();
  }));
}

void FdsDialogue::probe() {
  const auto index = needs_.generations.find(partner_.generation, worker_.ready.probe);
  os::Listener* listener = index ? needs_.generations.listener(*index) : nullptr;
  if (listener == nullptr || !listener->is_open()) return;  // it is on its way out with us
  Probe::Target target = Probe::target(listener->fd());
  target.path = worker_.ready.http;
  target.host = listener->has_ports() ? listener->address().text() : "localhost";
  probe_.emplace(
      needs_.io, std::move(target), [this] { be_ready(); },
      [this](const std::string& why) {
        happened(core::Awaited{"no client on " + worker_.ready.probe + " would be served: " + why});
      });
}

void FdsDialogue::be_ready() { happened(core::SaidReady{}); }

void FdsDialogue::on_notice(const notify::Said& said) {
  if (said.ready) {
    notified_ = true;
    const When when = worker_.ready.when;
    if (executed_ && (when == When::notified || when == When::automatic)) {
      timer_.cancel();
      be_ready();
    }
  }
  if (said.stopping && executed_ && !std::exchange(stopping_, true)) {
    happened(core::SaidSuicide{"it said STOPPING=1"});
  }
}

void FdsDialogue::left_rotation() {
  probe_.reset();
  timer_.cancel();
  // One that said STOPPING=1 is leaving, and one that hangs hears another signal.
  if (stopping_ || !needs_.drains(partner_.id)) return;
  const Duration patience = std::min(worker_.drain_timeout / 2, kLongestLook);
  ask_to_leave(Clock::now() + patience);
}

/// No new client gets into its queues.
bool FdsDialogue::nobody_comes() const {
  const auto& all = needs_.generations.listeners(partner_.generation);
  return std::any_of(all.begin(), all.end(), [this](core::ListenerIndex index) {
    return !needs_.generations.listener(index)->is_open() || needs_.dispatcher.is_suspended(index);
  });
}

/// Who waits in a queue that others serve is theirs. Where nobody will, this worker takes what is
/// left first: nobody new gets in there, so a queue that is once empty stays so.
void FdsDialogue::ask_to_leave(TimePoint deadline) {
  const auto waits = [](const UniqueFd& queue) {
    pollfd readable{queue.get(), POLLIN, 0};
    return ::poll(&readable, 1, 0) == 1 && (readable.revents & POLLIN) != 0;
  };
  if (!queues_.empty() && nobody_comes() && Clock::now() < deadline &&
      std::any_of(queues_.begin(), queues_.end(), waits)) {
    timer_.expires_after(kLook);
    timer_.async_wait(unless_gone([this, deadline] { ask_to_leave(deadline); }));
    return;
  }
  queues_.clear();
  log::debug(to_string(partner_.id) + ": sending " + signal_name(worker_.drain_signal));
  partner_.process.signal(worker_.drain_signal);
}

void FdsDialogue::process_ended() {
  probe_.reset();
  timer_.cancel();
  queues_.clear();
}

}  // namespace clusterd::runtime
