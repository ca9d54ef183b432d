#include "config/cpu_limit.h"

#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

using namespace clusterd::config;
using clusterd::test::TempDir;

namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

/// What the files of one machine, as a process sees them, give.
std::optional<CpuQuota> quota_in(const Files& files) {
  const TempDir folder;
  for (const auto& [path, text] : files) {
    const std::filesystem::path file = folder.path() + path;
    std::filesystem::create_directories(file.parent_path());
    static_cast<void>(folder.write(path.substr(1), text));
  }
  return find_cpu_quota([&](const std::string& path) -> std::optional<std::string> {
    if (!std::filesystem::is_regular_file(folder.path() + path)) return std::nullopt;
    return clusterd::test::read_file(folder.path() + path);
  });
}

const std::string kProcMounts =
    "21 27 0:19 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
    "22 27 0:20 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw\n"
    "27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,discard\n";

Files v2(const std::string& cgroup, const std::string& root = "/") {
  return {{"/proc/self/cgroup", "0::" + cgroup + "\n"},
          {"/proc/self/mountinfo",
           kProcMounts + "30 21 0:26 " + root +
               " /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 "
               "rw,nsdelegate,memory_recursiveprot\n"}};
}

Files v1(const std::string& cgroup, const std::string& root = "/") {
  return {{"/proc/self/cgroup", "12:memory:" + cgroup + "\n4:cpu,cpuacct:" + cgroup +
                                    "\n3:cpuset:/other\n1:name=systemd:" + cgroup + "\n"},
          {"/proc/self/mountinfo",
           kProcMounts + "33 32 0:29 " + root +
               " /sys/fs/cgroup/systemd rw shared:10 - cgroup cgroup rw,xattr,name=systemd\n"
               "36 32 0:32 " +
               root +
               " /sys/fs/cgroup/cpu,cpuacct rw shared:16 - cgroup cgroup rw,cpu,cpuacct\n"
               "37 32 0:33 " +
               root + " /sys/fs/cgroup/cpuset rw shared:17 - cgroup cgroup rw,cpuset\n"}};
}

Files operator+(Files files, const Files& more) {
  files.insert(files.end(), more.begin(), more.end());
  return files;
}

Files cfs(const std::string& folder, const std::string& quota) {
  const std::string path = "/sys/fs/cgroup/cpu,cpuacct" + folder;
  return {{path + "/cpu.cfs_quota_us", quota + "\n"}, {path + "/cpu.cfs_period_us", "100000\n"}};
}

using Quota = std::optional<CpuQuota>;

}  // namespace

TEST_CASE("a quota's text is two numbers, or says that there is none") {
  CHECK(parse_cpu_max("200000 100000\n") == Quota({200000, 100000}));
  CHECK(parse_cpu_max("1000 1000000") == Quota({1000, 1000000}));
  for (const std::string text : {"max 100000\n", "max", "", "\n", "1", "1 ", " 1", "1 2 3", "-1 2",
                                 "1 0", "0 1", "a b", "99999999999999999999999 1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_cpu_max(text).has_value());
  }
  CHECK(parse_cfs("150000\n", "100000\n") == Quota({150000, 100000}));
  CHECK_FALSE(parse_cfs("-1\n", "100000\n").has_value());
  CHECK_FALSE(parse_cfs("", "").has_value());
}

TEST_CASE("cgroup v2: the smallest limit of the own group and those around it") {
  const Files service = v2("/system.slice/shop.service");
  CHECK_FALSE(quota_in(service).has_value());
  const std::string slice = "/sys/fs/cgroup/system.slice";
  CHECK(quota_in(service + Files{{slice + "/shop.service/cpu.max", "200000 100000\n"},
                                 {slice + "/cpu.max", "max 100000\n"}}) == Quota({200000, 100000}));
  CHECK(quota_in(service + Files{{slice + "/shop.service/cpu.max", "max 100000\n"},
                                 {slice + "/cpu.max", "50000 10000\n"}}) == Quota({50000, 10000}));
  CHECK(quota_in(service + Files{{slice + "/shop.service/cpu.max", "200000 100000\n"},
                                 {slice + "/cpu.max", "15000 10000\n"}}) == Quota({15000, 10000}));
  // Not of this process.
  CHECK_FALSE(quota_in(service + Files{{slice + "/other.service/cpu.max", "1000 100000\n"}}));
}

TEST_CASE("cgroup v2: a container sees its own group as the root") {
  CHECK(quota_in(v2("/") + Files{{"/sys/fs/cgroup/cpu.max", "200000 100000\n"}}) ==
        Quota({200000, 100000}));
  // Without a namespace of its own: the mount starts at the container's group.
  const std::string pod = "/kubepods.slice/pod1/abc";
  CHECK(quota_in(v2(pod, pod) + Files{{"/sys/fs/cgroup/cpu.max", "50000 100000\n"}}) ==
        Quota({50000, 100000}));
  CHECK(quota_in(v2(pod + "/init", pod) + Files{{"/sys/fs/cgroup/init/cpu.max", "30000 100000\n"},
                                                {"/sys/fs/cgroup/cpu.max", "50000 100000\n"}}) ==
        Quota({30000, 100000}));
}

TEST_CASE("cgroup v2: what is outside the namespace or the mount") {
  const Files limits = {{"/sys/fs/cgroup/cpu.max", "10000 100000\n"},
                        {"/sys/fs/cgroup/b/cpu.max", "5000 100000\n"},
                        {"/sys/fs/b/cpu.max", "1000 100000\n"}};
  // The machine's own mount, seen from a namespace: the own group's name is not known there.
  CHECK(quota_in(v2("/", "/../..") + limits) == Quota({10000, 100000}));
  CHECK(quota_in(v2("/../b", "/..") + limits) == Quota({5000, 100000}));
  // The process is outside its namespace, or the mount is of other groups.
  CHECK_FALSE(quota_in(v2("/../b") + limits).has_value());
  CHECK_FALSE(quota_in(v2("/../../b", "/..") + limits).has_value());
  CHECK_FALSE(quota_in(v2("/other", "/docker/abc") + limits).has_value());
  CHECK_FALSE(quota_in(v2("/docker/abcd", "/docker/abc") + limits).has_value());
}

TEST_CASE("cgroup v1: the hierarchy that has the cpu controller") {
  CHECK(quota_in(v1("/docker/abc") + cfs("/docker/abc", "150000") + cfs("/docker", "-1")) ==
        Quota({150000, 100000}));
  CHECK(quota_in(v1("/docker/abc") + cfs("/docker/abc", "150000") + cfs("", "70000")) ==
        Quota({70000, 100000}));
  CHECK(quota_in(v1("/docker/abc", "/docker/abc") + cfs("", "150000")) == Quota({150000, 100000}));
  CHECK(quota_in(v1("/") + cfs("", "150000")) == Quota({150000, 100000}));
  CHECK_FALSE(quota_in(v1("/docker/abc") + cfs("/docker/abc", "-1")).has_value());
  CHECK_FALSE(quota_in(v1("/") + Files{{"/sys/fs/cgroup/cpuset/cpu.cfs_quota_us", "1000\n"},
                                       {"/sys/fs/cgroup/cpuset/cpu.cfs_period_us", "1000\n"},
                                       {"/sys/fs/cgroup/cpu,cpuacct/cpu.max", "1000 1000\n"}})
                  .has_value());
}

TEST_CASE("a hybrid has v1 for the cpu and an empty v2") {
  Files files = v1("/user.slice");
  files[0].second += "0::/user.slice/session.scope\n";
  files[1].second += "42 32 0:38 / /sys/fs/cgroup/unified rw shared:11 - cgroup2 cgroup2 rw\n";
  CHECK(quota_in(files + cfs("/user.slice", "250000")) == Quota({250000, 100000}));
  // Whichever hierarchy has the controller.
  CHECK(quota_in(files + Files{{"/sys/fs/cgroup/unified/user.slice/cpu.max", "90000 100000\n"}}) ==
        Quota({90000, 100000}));
}

TEST_CASE("a mount's path may have blanks, and optional fields are any number") {
  const Files files = {{"/proc/self/cgroup", "0::/a b/c\\d\n"},
                       {"/proc/self/mountinfo",
                        "30 21 0:26 / /cgroups/my\\040cgroups\\134x rw - cgroup2 none rw\n"
                        "31 21 0:26 /a\\040b /cgroups/two rw shared:1 master:2 propagate_from:3 - "
                        "cgroup2 none rw\n"},
                       {"/cgroups/my cgroups\\x/a b/c\\d/cpu.max", "30000 10000\n"},
                       {"/cgroups/two/c\\d/cpu.max", "20000 10000\n"}};
  CHECK(quota_in(files) == Quota({20000, 10000}));
}

TEST_CASE("files that are missing or are no such files give no limit") {
  CHECK_FALSE(quota_in({}).has_value());
  CHECK(cgroup_folders("", "").empty());
  CHECK(cgroup_folders("0::/\n", "").empty());
  CHECK(cgroup_folders("0::x\n0:\n:\n\n", v2("/")[1].second).empty());
  CHECK(cgroup_folders("0::/\n", "\n30\n30 21 0:26 /\n- cgroup2\n x - cgroup2 y z\n \\0 \\\n")
            .empty());
  CHECK(cgroup_folders("0::/a/b\n", v2("/")[1].second) ==
        std::vector<CgroupFolder>{
            {"/sys/fs/cgroup/a/b", 2}, {"/sys/fs/cgroup/a", 2}, {"/sys/fs/cgroup", 2}});
}

TEST_CASE("workers = auto is the quota rounded up or the affinity, whichever is fewer") {
  const struct {
    Quota quota;
    std::uint32_t affinity;
    std::uint32_t count;
    std::string reason;
  } table[] = {
      {Quota({200000, 100000}), 48, 2, "cgroup quota of 2 CPUs, 48 CPUs in the affinity mask"},
      {Quota({200000, 100000}), 1, 1, "cgroup quota of 2 CPUs, 1 CPU in the affinity mask"},
      {Quota({150000, 100000}), 8, 2, "cgroup quota of 1.5 CPUs, 8 CPUs in the affinity mask"},
      {Quota({100000, 100000}), 8, 1, "cgroup quota of 1 CPU, 8 CPUs in the affinity mask"},
      {Quota({1000, 1000000}), 8, 1, "cgroup quota of 0.001 CPUs, 8 CPUs in the affinity mask"},
      {Quota({1000000, 100000}), 8, 8, "cgroup quota of 10 CPUs, 8 CPUs in the affinity mask"},
      {Quota({200000, 100000}), 0, 2, "cgroup quota of 2 CPUs, the affinity mask cannot be read"},
      {std::nullopt, 8, 8, "8 CPUs in the affinity mask"},
      {std::nullopt, 1, 1, "1 CPU in the affinity mask"},
      {std::nullopt, 0, 1, "the affinity mask cannot be read"},
      {std::nullopt, 4096, 1024, "4096 CPUs in the affinity mask"},
  };
  for (const auto& [quota, affinity, count, reason] : table) {
    const UsableCpus usable = usable_cpus(quota, affinity);
    CHECK(usable.count == count);
    CHECK(usable.reason == reason);
  }
  CHECK(usable_cpus(CpuQuota{~std::uint64_t{0}, 1}, 5000).count == 1024);
}

TEST_CASE("this machine gives some CPU") {
  const UsableCpus usable = usable_cpus();
  CHECK(usable.count >= 1);
  CHECK(usable.count <= 1024);
  CHECK(usable.reason.find("affinity mask") != std::string::npos);
}
