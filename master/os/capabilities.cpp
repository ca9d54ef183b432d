#include "master/os/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace clusterd::os {
namespace {

struct Sets {
  Capabilities effective = 0;
  Capabilities permitted = 0;
};

constexpr unsigned kHalf = 32;

Capabilities joined(std::uint32_t low, std::uint32_t high) {
  return Capabilities{low} | (Capabilities{high} << kHalf);
}

Sets read_sets() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return {};
  return {joined(data[0].effective, data[1].effective),
          joined(data[0].permitted, data[1].permitted)};
}

/// Inheritable ones there are none then.
bool write_sets(const Sets& sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  for (unsigned half = 0; half < 2; ++half) {
    data[half].effective = static_cast<std::uint32_t>(sets.effective >> (half * kHalf));
    data[half].permitted = static_cast<std::uint32_t>(sets.permitted >> (half * kHalf));
  }
  return ::syscall(SYS_capset, &header, data) == 0;
}

constexpr std::pair<int, const char*> kNames[] = {
    {CAP_CHOWN, "CAP_CHOWN"},
    {CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
    {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"},
    {CAP_FOWNER, "CAP_FOWNER"},
    {CAP_KILL, "CAP_KILL"},
    {CAP_SETGID, "CAP_SETGID"},
    {CAP_SETUID, "CAP_SETUID"},
    {CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"},
    {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
    {CAP_SYS_NICE, "CAP_SYS_NICE"},
    {CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE"},
};

}  // namespace

Capabilities effective_capabilities() { return read_sets().effective; }

Result<void> keep_capabilities(Capabilities keep) {
  const Sets now = read_sets();
  if ((now.effective & capability(CAP_SETPCAP)) != 0) {
    for (int number = 0; ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number) {
      if ((keep & capability(number)) != 0) continue;
      if (::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) {
        return errno_error("give up a capability");
      }
    }
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  // A filter of system calls may forbid a service that is nobody to change what it has.
  if ((now.permitted & ~keep) == 0) return {};
  if (write_sets({now.effective & keep, now.permitted & keep})) return {};
  return errno_error("give up capabilities");
}

WithoutCapabilities::WithoutCapabilities(Capabilities without) : before_(read_sets().effective) {
  static_cast<void>(write_sets({before_ & ~without, read_sets().permitted}));
}

WithoutCapabilities::~WithoutCapabilities() {
  static_cast<void>(write_sets({before_, read_sets().permitted}));
}

std::string names_of(Capabilities capabilities) {
  std::string text;
  for (const auto& [number, name] : kNames) {
    if ((capabilities & capability(number)) == 0) continue;
    text += (text.empty() ? "" : " ") + std::string(name);
  }
  return text;
}

}  // namespace clusterd::os
