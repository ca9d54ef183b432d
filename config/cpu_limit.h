#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clusterd::config {

/// How much of the CPUs a control group may use: `quota` in each `period`, both in microseconds.
struct CpuQuota {
  std::uint64_t quota = 0;
  std::uint64_t period = 1;

  [[nodiscard]] double cpus() const {
    return static_cast<double>(quota) / static_cast<double>(period);
  }
  [[nodiscard]] std::uint64_t rounded_up() const {
    return quota / period + (quota % period == 0 ? 0 : 1);
  }

  friend bool operator==(const CpuQuota&, const CpuQuota&) = default;
};

/// cpu.max of cgroup v2: "200000 100000". Nothing for "max" and for what is neither.
[[nodiscard]] std::optional<CpuQuota> parse_cpu_max(std::string_view text);

/// cpu.cfs_quota_us and cpu.cfs_period_us of cgroup v1. Nothing for the quota -1.
[[nodiscard]] std::optional<CpuQuota> parse_cfs(std::string_view quota, std::string_view period);

/// A folder whose limit holds for this process.
struct CgroupFolder {
  std::string path;
  int version = 2;

  friend bool operator==(const CgroupFolder&, const CgroupFolder&) = default;
};

/// The own control group in each hierarchy that limits CPUs and is mounted, and the groups around
/// it, up to where it is mounted. The texts are those of /proc/self/cgroup and mountinfo. What a
/// cgroup namespace or the mount hides cannot be found; its limits are not known then.
[[nodiscard]] std::vector<CgroupFolder> cgroup_folders(std::string_view cgroup,
                                                       std::string_view mountinfo);

/// The whole text of a file, or nothing.
using ReadText = std::function<std::optional<std::string>(const std::string& path)>;

/// The smallest of the limits that hold for this process, or nothing if there is none.
[[nodiscard]] std::optional<CpuQuota> find_cpu_quota(const ReadText& read);

/// The CPUs on which this process may run, in order; empty if that is not known.
[[nodiscard]] std::vector<unsigned> allowed_cpus();

/// What workers = "auto" gives, and why: "cgroup quota of 1.5 CPUs, 8 CPUs in the affinity mask".
struct UsableCpus {
  std::uint32_t count = 1;
  std::string reason;
};

/// The fewer of both. `affinity` is 0 if it is not known.
[[nodiscard]] UsableCpus usable_cpus(const std::optional<CpuQuota>& quota, std::uint32_t affinity);

/// On this machine.
[[nodiscard]] UsableCpus usable_cpus();

}  // namespace clusterd::config
