#include "master/os/from_manager.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace clusterd::os {
namespace {

constexpr int kFirstPassed = 3;    // sd_listen_fds(3)
constexpr int kMostPassed = 1024;  // more are a mistake in the environment
/// Of a passed socket whose name is not said: sd_listen_fds_with_names(3).
constexpr std::string_view kNoName = "unknown";

/// The variable's value, which is then in the environment no more.
std::string take(const char* name) {
  const char* value = std::getenv(name);
  std::string taken = value == nullptr ? "" : value;
  ::unsetenv(name);
  return taken;
}

std::optional<std::int64_t> to_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || stop != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

bool is_us(std::string_view pid) { return to_number(pid) == ::getpid(); }

Duration take_watchdog() {
  constexpr std::int64_t kMost = 1'000'000LL * 3600 * 24 * 365;
  const std::string for_whom = take("WATCHDOG_PID");
  const auto usec = to_number(take("WATCHDOG_USEC"));
  if (!usec || *usec < 1 || *usec > kMost) return {};
  // Without a WATCHDOG_PID it is for whoever has it.
  return for_whom.empty() || is_us(for_whom) ? std::chrono::microseconds(*usec) : Duration::zero();
}

PassedSockets take_sockets() {
  const std::string for_whom = take("LISTEN_PID");
  const auto count = to_number(take("LISTEN_FDS"));
  const std::string all_names = take("LISTEN_FDNAMES");
  std::string_view names = all_names;
  PassedSockets sockets;
  if (!is_us(for_whom) || !count || *count > kMostPassed) return sockets;
  for (int fd = kFirstPassed; fd < kFirstPassed + *count; ++fd) {
    const std::string_view name = names.substr(0, names.find(':'));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    // A number that nobody has open is none of ours to close later.
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) continue;
    sockets.add(std::string(name.empty() ? kNoName : name), UniqueFd(fd));
  }
  return sockets;
}

}  // namespace

std::vector<int> FromManager::descriptors() const {
  std::vector<int> all = sockets.descriptors();
  if (notify) all.push_back(notify.fd());
  return all;
}

FromManager take_from_manager() {
  FromManager left;
  left.notify = SdNotify(take("NOTIFY_SOCKET"));
  left.watchdog = take_watchdog();
  left.sockets = take_sockets();
  return left;
}

}  // namespace clusterd::os
