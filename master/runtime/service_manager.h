#pragma once

#include "common/clock.h"
#include "master/core/cluster.h"
#include "master/os/sd_notify.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <deque>
#include <string>

namespace clusterd::runtime {

/// The service manager that started the master (systemd), and what it is told over NOTIFY_SOCKET:
///
///     starting -> ready <-> reloading -> stopping        STOPPING=1 from each of them
///                 READY=1   RELOADING=1
///
/// with STATUS= whenever the line has changed, EXTEND_TIMEOUT_USEC= in every phase that has a
/// deadline of the manager's (ours are app.conf's), and WATCHDOG=1 as long as the loop turns. With
/// nobody to tell, it does nothing.
class ServiceManager {
 public:
  ServiceManager(boost::asio::io_context& io, os::SdNotify notify, Duration watchdog,
                 const core::Cluster& cluster);

  /// From now on the loop turns.
  void start();
  /// Something may have changed: after each step of the cluster.
  void look();
  /// The manager itself has asked for a reload. It waits for RELOADING=1 and then READY=1, even if
  /// nothing comes of it.
  void reload_asked();
  /// The last word: how it all ended.
  void finish(const std::string& how);

 private:
  enum class Phase : std::uint8_t { starting, ready, reloading, stopping };

  [[nodiscard]] Phase phase_now() const;
  [[nodiscard]] static std::string words(Phase phase);
  void say(std::string text);
  void flush();
  void feed_watchdog();
  void extend_timeout();

  os::SdNotify notify_;
  Duration watchdog_;
  const core::Cluster& cluster_;
  Phase phase_ = Phase::starting;
  std::string status_;  ///< as it was last said
  std::string ended_;   ///< how, once it has
  std::deque<std::string> unsent_;
  boost::asio::steady_timer flush_timer_;
  boost::asio::steady_timer watchdog_timer_;
  boost::asio::steady_timer extend_timer_;
};

}  // namespace clusterd::runtime
