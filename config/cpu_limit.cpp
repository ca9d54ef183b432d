#include "config/cpu_limit.h"

#include "config/defaults.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <sched.h>

namespace clusterd::config {
namespace {

constexpr std::uint64_t kMostCpus = 1024;
constexpr std::size_t kMostBytes = 16U << 20U;  // a host of containers has thousands of mounts

/// The text up to `separator`, which is taken off `rest` with it.
std::string_view cut(std::string_view& rest, char separator) {
  const std::string_view first = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(rest.size(), first.size() + 1));
  return first;
}

bool has_item(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    if (cut(list, ',') == item) return true;
  }
  return false;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, number);
  if (status != std::errc() || stop != end) return std::nullopt;
  return number;
}

std::optional<CpuQuota> make_quota(std::string_view quota, std::string_view period) {
  const std::optional<std::uint64_t> some = parse_number(quota);
  const std::optional<std::uint64_t> of = parse_number(period);
  if (!some || !of || *some == 0 || *of == 0) return std::nullopt;
  return CpuQuota{*some, *of};
}

/// A path in mountinfo has blanks, line ends and backslashes as three octal digits: "\040".
std::string decoded(std::string_view path) {
  std::string result;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::string_view digits = path.substr(i + 1, 3);
    unsigned code = 0;
    const auto [stop, status] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 8);
    if (path[i] == '\\' && digits.size() == 3 && stop == digits.data() + 3) {
      result += static_cast<char>(code);
      i += 3;
    } else {
      result += path[i];
    }
  }
  return result;
}

/// One line of mountinfo: what of a file system is seen where.
struct Mount {
  std::string root;
  std::string point;
  int version = 0;  ///< of cgroup, of a hierarchy that can limit CPUs; else 0
};

// 36 25 0:30 /ROOT /POINT rw,relatime shared:9 master:1 - cgroup2 cgroup2 rw,nsdelegate
Mount parse_mount(std::string_view line) {
  Mount mount;
  for (int skipped = 0; skipped < 3; ++skipped) cut(line, ' ');
  mount.root = decoded(cut(line, ' '));
  mount.point = decoded(cut(line, ' '));
  while (!line.empty() && cut(line, ' ') != "-") continue;
  const std::string_view type = cut(line, ' ');
  cut(line, ' ');
  if (type == "cgroup2") mount.version = 2;
  if (type == "cgroup" && has_item(line, "cpu")) mount.version = 1;
  return mount;
}

struct OwnGroup {
  std::string path;
  int version = 0;  ///< as in Mount
};

// 4:cpu,cpuacct:/PATH, and 0::/PATH for v2
OwnGroup parse_own_group(std::string_view line) {
  const std::string_view number = cut(line, ':');
  const std::string_view controllers = cut(line, ':');
  OwnGroup group{std::string(line)};
  if (!line.starts_with('/')) return group;
  if (number == "0" && controllers.empty()) group.version = 2;
  if (has_item(controllers, "cpu")) group.version = 1;
  return group;
}

/// "/a/b" as seen from "/a", or nothing if it is not in there. Both start at the root of the cgroup
/// namespace, and a ".." at the start of either leads out of it.
std::optional<std::string> below(const std::string& root, const std::string& path) {
  std::string rest = path == "/" ? "" : path;
  if (root != "/") {
    if (!rest.starts_with(root)) return std::nullopt;
    rest.erase(0, root.size());
  }
  const bool inside = rest.empty() || (rest[0] == '/' && !(rest + "/").starts_with("/../"));
  return inside ? std::optional(rest) : std::nullopt;
}

bool only_leads_out(std::string_view root) {
  while (root.starts_with("/..")) root.remove_prefix(3);
  return root.empty();
}

void add_folders(const OwnGroup& own, const Mount& mount, std::vector<CgroupFolder>& folders) {
  const std::optional<std::string> found = below(mount.root, own.path);
  // Of groups around the namespace the names are not known: only the outermost can be found.
  const bool around = only_leads_out(mount.root) && !own.path.starts_with("/..");
  if (!found && !around) return;
  for (std::string rest = found.value_or(""); !rest.empty(); rest.erase(rest.rfind('/'))) {
    folders.push_back({mount.point + rest, own.version});
  }
  folders.push_back({mount.point, own.version});
}

std::optional<CpuQuota> read_quota(const CgroupFolder& folder, const ReadText& read) {
  if (folder.version == 2) return parse_cpu_max(read(folder.path + "/cpu.max").value_or(""));
  return parse_cfs(read(folder.path + "/cpu.cfs_quota_us").value_or(""),
                   read(folder.path + "/cpu.cfs_period_us").value_or(""));
}

/// "1.5 CPUs": three digits after the point at most, none that says nothing.
std::string described(const CpuQuota& quota) {
  std::array<char, 64> digits{};
  const auto [end, status] = std::to_chars(digits.data(), digits.data() + digits.size(),
                                           quota.cpus(), std::chars_format::fixed, 3);
  std::string text(digits.data(), end);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text + (text == "1" ? " CPU" : " CPUs");
}

}  // namespace

std::vector<unsigned> allowed_cpus() {
  // The kernel refuses a mask smaller than its own: 8 sets of 1,024 are as many as it can have.
  std::array<cpu_set_t, 8> masks{};
  std::vector<unsigned> cpus;
  if (::sched_getaffinity(0, sizeof masks, masks.data()) != 0) return cpus;
  for (unsigned cpu = 0; cpu < masks.size() * CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET_S(cpu, sizeof masks, masks.data())) cpus.push_back(cpu);
  }
  return cpus;
}

std::optional<CpuQuota> parse_cpu_max(std::string_view text) {
  const std::string_view quota = cut(text, ' ');
  return make_quota(quota, text);
}

std::optional<CpuQuota> parse_cfs(std::string_view quota, std::string_view period) {
  return make_quota(quota, period);
}

std::vector<CgroupFolder> cgroup_folders(std::string_view cgroup, std::string_view mountinfo) {
  std::vector<Mount> mounts;
  while (!mountinfo.empty()) {
    Mount mount = parse_mount(cut(mountinfo, '\n'));
    if (mount.version != 0) mounts.push_back(std::move(mount));
  }
  std::vector<CgroupFolder> folders;
  while (!cgroup.empty()) {
    const OwnGroup own = parse_own_group(cut(cgroup, '\n'));
    for (const Mount& mount : mounts) {
      if (mount.version == own.version) add_folders(own, mount, folders);
    }
  }
  return folders;
}

std::optional<CpuQuota> find_cpu_quota(const ReadText& read) {
  const std::string cgroup = read("/proc/self/cgroup").value_or("");
  const std::string mountinfo = read("/proc/self/mountinfo").value_or("");
  std::optional<CpuQuota> smallest;
  for (const CgroupFolder& folder : cgroup_folders(cgroup, mountinfo)) {
    const std::optional<CpuQuota> quota = read_quota(folder, read);
    if (quota && (!smallest || quota->cpus() < smallest->cpus())) smallest = quota;
  }
  return smallest;
}

UsableCpus usable_cpus(const std::optional<CpuQuota>& quota, std::uint32_t affinity) {
  UsableCpus usable;
  std::uint64_t count = affinity == 0 ? kMostCpus : affinity;
  if (quota) {
    count = std::min(count, quota->rounded_up());
    usable.reason = "cgroup quota of " + described(*quota) + ", ";
  } else if (affinity == 0) {
    count = 1;
  }
  usable.count = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(count, 1, kMostCpus));
  usable.reason += affinity == 0 ? "the affinity mask cannot be read"
                                 : std::to_string(affinity) + (affinity == 1 ? " CPU" : " CPUs") +
                                       " in the affinity mask";
  return usable;
}

UsableCpus usable_cpus() {
  const ReadText read = [](const std::string& path) -> std::optional<std::string> {
    const Result<std::string> text = read_file(path, kMostBytes);
    return text.has_value() ? std::optional(*text) : std::nullopt;
  };
  return usable_cpus(find_cpu_quota(read), static_cast<std::uint32_t>(allowed_cpus().size()));
}

}  // namespace clusterd::config
