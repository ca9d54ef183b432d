#include "master/os/wall_timer.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <sys/timerfd.h>
#include <unistd.h>

namespace clusterd::os {

Result<WallTimer> WallTimer::create() {
  UniqueFd fd(::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!fd) return errno_error("make a timer");
  return WallTimer(std::move(fd));
}

bool WallTimer::set(std::optional<std::int64_t> at) {
  itimerspec when{};
  // 0 would disarm it, and 1970 is over.
  if (at) when.it_value.tv_sec = static_cast<std::time_t>(std::max<std::int64_t>(*at, 1));
  constexpr int kFlags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
  // It is armed all the same, and says but this once that it had been cancelled.
  return ::timerfd_settime(fd_.get(), kFlags, &when, nullptr) < 0 && errno == ECANCELED;
}

WallTimer::News WallTimer::take() {
  std::uint64_t count = 0;
  if (::read(fd_.get(), &count, sizeof count) == sizeof count) return News::fired;
  return errno == ECANCELED ? News::clock_set : News::none;
}

}  // namespace clusterd::os
