#include "master/runtime/orphanage.h"

#include "master/os/orphans.h"
#include "master/os/self.h"

#include <chrono>
#include <csignal>
#include <utility>

namespace clusterd::runtime {
namespace {

constexpr std::size_t kMostAtOnce = 64;
/// One of ours that stands before them is reaped in this turn of the loop, or the next.
constexpr auto kPause = std::chrono::milliseconds(5);

}  // namespace

Orphanage::Orphanage(boost::asio::io_context& io, std::function<bool(pid_t)> is_ours)
    : is_ours_(std::move(is_ours)), ended_(io), again_(io) {
  if (!os::is_first_process()) return;
  ended_.add(SIGCHLD);
  wait();
  look();  // whoever exec'd us may have left some
}

/// One signal may stand for many ends, so each time all are looked for.
void Orphanage::wait() {
  ended_.async_wait([this](boost::system::error_code error, int) {
    if (error) return;
    look();
    wait();
  });
}

void Orphanage::look() {
  if (os::reap_orphans(kMostAtOnce, is_ours_)) return;
  again_.expires_after(kPause);
  again_.async_wait([this](boost::system::error_code error) {
    if (!error) look();
  });
}

}  // namespace clusterd::runtime
