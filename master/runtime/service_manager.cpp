#include "master/runtime/service_manager.h"

#include "master/runtime/service_status.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace clusterd::runtime {
namespace {

using std::chrono::microseconds;

/// A manager that does not read is tried again so often, with so many words at most.
constexpr auto kTryAgain = std::chrono::milliseconds(100);
constexpr std::size_t kMostUnsent = 16;
/// Each word of it lasts twice as long as the time to the next and a bit: one that is late by a
/// whole turn harms nothing, and a loop that hangs is found out soon.
constexpr auto kExtendEach = std::chrono::seconds(2);
constexpr auto kExtendBy = std::chrono::seconds(10);

std::string line(const char* key, microseconds value) {
  return std::string(key) + "=" + std::to_string(value.count()) + "\n";
}

}  // namespace

ServiceManager::ServiceManager(boost::asio::io_context& io, os::SdNotify notify, Duration watchdog,
                               const core::Cluster& cluster)
    : notify_(std::move(notify)),
      watchdog_(watchdog),
      cluster_(cluster),
      flush_timer_(io),
      watchdog_timer_(io),
      extend_timer_(io) {}

void ServiceManager::start() {
  if (!notify_) return;
  extend_timeout();
  if (watchdog_ > Duration::zero()) feed_watchdog();
}

ServiceManager::Phase ServiceManager::phase_now() const {
  switch (cluster_.state()) {
    case core::ClusterState::idle:
    case core::ClusterState::starting:
      return Phase::starting;
    case core::ClusterState::running:
      return cluster_.rollout() ? Phase::reloading : Phase::ready;
    case core::ClusterState::delaying:
    case core::ClusterState::stopping:
    case core::ClusterState::finished:
      break;
  }
  return Phase::stopping;
}

std::string ServiceManager::words(Phase phase) {
  switch (phase) {
    case Phase::starting:
      break;
    case Phase::ready:
      return "READY=1\n";
    case Phase::reloading:
      // When it began by the manager's clock: its own request is older, or this is another's.
      return "RELOADING=1\n" + line("MONOTONIC_USEC", std::chrono::duration_cast<microseconds>(
                                                          Clock::now().time_since_epoch()));
    case Phase::stopping:
      return "STOPPING=1\n";
  }
  return "";
}

void ServiceManager::look() {
  if (!notify_) return;
  std::string text;
  const Phase phase = phase_now();
  const bool next = phase != std::exchange(phase_, phase);
  if (next) text = words(phase);
  if (std::string now = ended_.empty() ? service_status(cluster_) : ended_; now != status_) {
    status_ = std::move(now);
    text += "STATUS=" + os::sd_value(status_) + "\n";
  }
  if (!text.empty()) say(std::move(text));
  if (next) extend_timeout();  // of the phase that the manager knows of by now
}

void ServiceManager::reload_asked() {
  // In a reload already: the manager may have asked before it heard of that one, and waits for
  // word of its own.
  if (!notify_ || (phase_ != Phase::ready && phase_ != Phase::reloading)) return;
  phase_ = Phase::reloading;
  say(words(phase_));
  extend_timeout();
}

void ServiceManager::finish(const std::string& how) {
  ended_ = how;
  look();
}

/// In the order in which it was said. What finds no room is the oldest that a later one makes
/// stale: a status. Without READY=1 the manager would wait for ever.
void ServiceManager::say(std::string text) {
  unsent_.push_back(std::move(text));
  if (unsent_.size() > kMostUnsent) {
    const auto stale = std::find_if(unsent_.begin(), unsent_.end(), [](const std::string& word) {
      return word.starts_with("STATUS=");
    });
    unsent_.erase(stale == unsent_.end() ? unsent_.begin() : stale);
  }
  flush();
}

void ServiceManager::flush() {
  while (!unsent_.empty() && notify_.send(unsent_.front()) != os::SdNotify::Sent::full) {
    unsent_.pop_front();
  }
  if (unsent_.empty()) return;
  flush_timer_.expires_after(kTryAgain);
  flush_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) flush();
  });
}

/// From the loop and nowhere else: a loop that hangs is not to be covered up.
void ServiceManager::feed_watchdog() {
  const bool full = notify_.send("WATCHDOG=1\n") == os::SdNotify::Sent::full;
  watchdog_timer_.expires_after(full ? std::min<Duration>(kTryAgain, watchdog_ / 2)
                                     : watchdog_ / 2);
  watchdog_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) feed_watchdog();
  });
}

void ServiceManager::extend_timeout() {
  extend_timer_.cancel();
  if (phase_ == Phase::ready) return;
  (void)notify_.send(line("EXTEND_TIMEOUT_USEC", kExtendBy));
  extend_timer_.expires_after(kExtendEach);
  extend_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) extend_timeout();
  });
}

}  // namespace clusterd::runtime
