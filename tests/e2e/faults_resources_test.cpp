// Faults by their numbers in the list of what a supervisor has to bear: descriptors run out, a log
// cannot be written, or its folder is gone.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;

/// What the process has used of a CPU.
milliseconds cpu_time(pid_t pid) {
  const std::string text = read_file("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream rest(text.substr(text.rfind(')') + 1));
  std::string word;
  for (int i = 0; i < 11; ++i) rest >> word;
  long user = 0;
  long system = 0;
  rest >> user >> system;
  return milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
}

void let_pass(milliseconds time) {
  (void)eventually([] { return false; }, time);
}

std::int64_t dropped(const Cluster& cluster) {
  const auto status = cluster.status();
  return status ? status->at("log").at("dropped").as_int64() : -1;
}

/// A service whose log fails goes on as if nothing were.
void check_serves(Cluster& cluster) {
  for (int i = 0; i < 10; ++i) CHECK(get(cluster.port()).ok());
  const pid_t victim = cluster.workers().front();
  ::kill(victim, SIGKILL);
  CHECK(eventually([&] { return cluster.replaced({victim}, 2); }, 20s));
  for (int i = 0; i < 10; ++i) CHECK(get(cluster.port()).ok());
}

/// A disk of 64 KiB that is full.
class FullDisk {
 public:
  explicit FullDisk(std::string path) : path_(std::move(path)) {
    ::mkdir(path_.c_str(), 0700);
    REQUIRE(run({"mount", "-t", "tmpfs", "-o", "size=64k", "none", path_}).code == 0);
    fill();
  }
  ~FullDisk() { (void)run({"umount", "-l", path_}); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

  void fill() const { (void)run({"/bin/sh", "-c", "cat /dev/zero > " + path_ + "/full"}); }
  void make_room() const { std::filesystem::remove(path_ + "/full"); }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("a master that is out of descriptors waits, without a spin, and recovers (fault 24)") {
  Cluster cluster({.workers = 2, .log_keys = "file = \"log\"\n"});
  const pid_t master = cluster.master().pid();
  const std::uint16_t port = cluster.port();
  const pid_t victim = cluster.workers().front();
  rlimit before{};
  // Those that are open stay so. No other can be.
  const rlimit none{3, 3};
  REQUIRE(::prlimit(master, RLIMIT_NOFILE, nullptr, &before) == 0);
  const rlimit low{none.rlim_cur, before.rlim_max};
  REQUIRE(::prlimit(master, RLIMIT_NOFILE, &low, nullptr) == 0);
  const milliseconds cpu = cpu_time(master);

  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<Client>(port));
    clients.back()->ask();
  }
  ::kill(victim, SIGKILL);
  cluster.master().signal(SIGUSR1);
  const std::string said = cluster.dir().path("status");
  Program status({clusterd_program(), "status", cluster.conf()}, said, said);
  let_pass(3s);
  CHECK(cluster.master().running());
  CHECK(status.running());
  if (!kSanitized) CHECK(cpu_time(master) - cpu < 150ms);  // 5 % of the time

  REQUIRE(::prlimit(master, RLIMIT_NOFILE, &before, nullptr) == 0);
  const auto free_again = Clock::now();
  for (const auto& client : clients) CHECK(client->read_to_end(20s).ok());
  CHECK(status.wait(20s) == 0);
  CHECK(eventually([&] { return cluster.running(2); }, 20s));
  if (!kSanitized) CHECK(Clock::now() - free_again < 2s);
  const std::string log = read_file(cluster.dir().path("log"));
  CHECK(log.find("the log stays where it was: open the log") != std::string::npos);
  CHECK(log.find("Too many open files") != std::string::npos);
  cluster.master().signal(SIGUSR1);
  CHECK(eventually(
      [&] {
        return read_file(cluster.dir().path("log")).find("the log goes on here") !=
               std::string::npos;
      },
      10s));
  CHECK(cluster.verb({"stop"}).code == 0);
}

TEST_CASE("a log that cannot be written is counted, and holds up nobody (fault 26)") {
  SUBCASE("every write fails of ENOSPC") {
    Cluster cluster({.workers = 2, .err = "/dev/full"});
    check_serves(cluster);
    CHECK(dropped(cluster) > 0);
    CHECK(cluster.verb({"stop"}).code == 0);
  }
  SUBCASE("the reader of a pipe is gone") {
    Cluster cluster(
        {.workers = 2,
         .under = {"/bin/bash", "-c", "exec \"$@\" 2> >(head -n 1 > /dev/null)", "bash"}});
    check_serves(cluster);
    CHECK(dropped(cluster) > 0);
    CHECK(cluster.verb({"stop"}).code == 0);
  }
  SUBCASE("the reader of a pipe does not read") {
    Cluster cluster(
        {.workers = 2, .under = {"/bin/bash", "-c", "exec \"$@\" 2> >(exec sleep 20)", "bash"}});
    check_serves(cluster);
    CHECK(cluster.verb({"stop"}).code == 0);
  }
  SUBCASE("a full disk, which has room again") {
    if (::geteuid() != 0) {
      MESSAGE("not root: skipped");
      return;
    }
    const TempDir dir;
    const FullDisk disk(dir.path("disk"));
    Cluster cluster({.workers = 2, .log_keys = "file = \"" + dir.path("disk") + "/log\"\n"});
    check_serves(cluster);
    CHECK(dropped(cluster) > 0);
    disk.make_room();
    check_serves(cluster);
    CHECK(cluster.verb({"stop"}).code == 0);
    const std::string log = read_file(dir.path("disk/log"));
    CHECK(log.find(" log lines dropped)\n") != std::string::npos);
    CHECK(log.find("stopped") != std::string::npos);
  }
}

TEST_CASE("a FIFO that nobody reads is no log to start with (fault 26)") {
  const TempDir dir;
  REQUIRE(::mkfifo(dir.path("log").c_str(), 0600) == 0);
  Cluster cluster(
      {.log_keys = "file = \"" + dir.path("log") + "\"\n", .wait_until_running = false});
  CHECK(cluster.master().wait(20s) == 71);
  CHECK(cluster.log().find("open the log") != std::string::npos);
}

TEST_CASE("USR1 goes on in a new file after the old one was renamed") {
  Cluster cluster({.workers = 2, .log_keys = "file = \"log\"\n"});
  const std::string path = cluster.dir().path("log");
  CHECK(std::filesystem::status(path).permissions() == std::filesystem::perms(0640 & ~022));
  std::filesystem::rename(path, path + ".1");
  cluster.master().signal(SIGUSR1);
  CHECK(eventually(
      [&] { return read_file(path).find("the log goes on here") != std::string::npos; }, 10s));
  const std::string old = read_file(path + ".1");
  check_serves(cluster);
  CHECK(read_file(path + ".1") == old);
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(read_file(path).find("stopped") != std::string::npos);
}

TEST_CASE("USR1 with its folder lost keeps the log open, says so, and follows no link (fault 27)") {
  const TempDir dir;
  const std::string folder = dir.path("logs");
  const std::string elsewhere = dir.path("elsewhere");
  REQUIRE(::mkdir(folder.c_str(), 0700) == 0);
  REQUIRE(::mkdir(elsewhere.c_str(), 0700) == 0);
  dir.write("elsewhere/precious", "keep me\n");
  Cluster cluster({.workers = 2, .log_keys = "file = \"" + folder + "/log\"\n"});
  const std::string open_log = "/proc/" + std::to_string(cluster.master().pid()) + "/fd/2";
  std::string why;
  SUBCASE("removed") {
    std::filesystem::remove_all(folder);
    why = "No such file or directory";
  }
  SUBCASE("replaced by a link to a folder") {
    std::filesystem::rename(folder, dir.path("moved"));
    REQUIRE(::symlink(elsewhere.c_str(), folder.c_str()) == 0);
    why = "a symbolic link";
  }
  SUBCASE("replaced by a plain file") {
    std::filesystem::rename(folder, dir.path("moved"));
    dir.write("logs", "");
    why = "Not a directory";
  }
  SUBCASE("with a link in the file's place") {
    std::filesystem::rename(folder + "/log", folder + "/log.1");
    REQUIRE(::symlink((elsewhere + "/precious").c_str(), (folder + "/log").c_str()) == 0);
    why = "a symbolic link";
  }
  cluster.master().signal(SIGUSR1);
  // The file that it has open, which may have no name any more.
  CHECK(eventually(
      [&] {
        const std::string log = read_file(open_log);
        const std::size_t at = log.find("the log stays where it was: open the log " + folder);
        return at != std::string::npos && log.find(why, at) != std::string::npos;
      },
      10s));
  check_serves(cluster);
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(read_file(elsewhere + "/precious") == "keep me\n");
  CHECK_FALSE(std::filesystem::exists(elsewhere + "/log"));
}

TEST_CASE("USR1 with its folder closed to its user keeps the log open, and says so (fault 27)") {
  if (::geteuid() != 0) {
    MESSAGE("not run: it needs root, to be somebody else");
    return;
  }
  constexpr uid_t kSomebody = 4321;
  const TempDir dir;
  REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
  const std::string folder = dir.path("logs");
  REQUIRE(::mkdir(folder.c_str(), 0755) == 0);
  REQUIRE(::chown(folder.c_str(), kSomebody, kSomebody) == 0);
  const std::string log = folder + "/log";
  Cluster cluster({.workers = 2, .log_keys = "file = \"" + log + "\"\n", .as = kSomebody});
  std::filesystem::rename(log, log + ".1");
  REQUIRE(::chown(folder.c_str(), 0, 0) == 0);
  cluster.master().signal(SIGUSR1);
  CHECK(eventually(
      [&] {
        return read_file(log + ".1")
                   .find("the log stays where it was: open the log " + log +
                         ": Permission denied") != std::string::npos;
      },
      10s));
  check_serves(cluster);
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK_FALSE(std::filesystem::exists(log));
}
