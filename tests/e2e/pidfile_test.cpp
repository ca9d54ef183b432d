// The optional pidfile: for others to read, never for us.
#include "tests/support/cluster.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// app.conf with a pidfile, which must be set before the first table.
std::string with_pidfile(const Cluster& cluster, const TempDir& dir, const std::string& pidfile) {
  std::string text = read_file(cluster.conf());
  const std::size_t line = text.find("pidfile");
  text.erase(line, text.find('\n', line) + 1 - line);
  return dir.write("app.conf", "pidfile = \"" + pidfile + "\"\n" + text);
}

}  // namespace

// Fault 37 of the list of what a supervisor has to bear is all of these.
TEST_CASE("the pidfile has the master's pid from its start to its end") {
  Cluster cluster({.pidfile = "master.pid"});
  const std::string path = cluster.dir().path("master.pid");
  CHECK(read_file(path) == std::to_string(cluster.master().pid()) + "\n");
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777 & ~0644U) == 0);
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a second cluster with the same pidfile is refused with the first one's pid") {
  Cluster cluster({.pidfile = "master.pid"});
  const TempDir dir;
  const std::string path = cluster.dir().path("master.pid");
  const Finished second = run({clusterd_program(), "start", with_pidfile(cluster, dir, path)});
  CHECK(second.code == 71);
  CHECK(second.err.find("another master has the pidfile") != std::string::npos);
  CHECK(second.err.find("(pid " + std::to_string(cluster.master().pid()) + ")") !=
        std::string::npos);
  CHECK(read_file(path) == std::to_string(cluster.master().pid()) + "\n");
}

TEST_CASE("a pidfile that a killed master left, with a stranger's pid in it, is no obstacle") {
  const TempDir dir;
  Program stranger({"/bin/sleep", "1000"}, "/dev/null", "/dev/null");
  dir.write("master.pid", std::to_string(stranger.pid()) + "\n");
  Cluster cluster({.pidfile = dir.path("master.pid")});
  CHECK(read_file(dir.path("master.pid")) == std::to_string(cluster.master().pid()) + "\n");
  CHECK(cluster.verb({"stop", "--now"}).code == 0);
  CHECK(stranger.running());
}

TEST_CASE("a pidfile that is a link, or no plain file, is refused and left as it is") {
  const TempDir dir;
  const std::string path = dir.path("master.pid");
  const std::string precious = dir.write("precious", "keep me\n");
  SUBCASE("a symbolic link") { REQUIRE(::symlink(precious.c_str(), path.c_str()) == 0); }
  SUBCASE("another name of a file") { REQUIRE(::link(precious.c_str(), path.c_str()) == 0); }
  SUBCASE("a pipe") { REQUIRE(::mkfifo(path.c_str(), 0600) == 0); }
  SUBCASE("a folder") { REQUIRE(::mkdir(path.c_str(), 0700) == 0); }
  Cluster cluster({.wait_until_running = false, .pidfile = path});
  CHECK(cluster.master().wait(20s) == 71);
  CHECK(cluster.log().find("the pidfile " + path) != std::string::npos);
  CHECK(read_file(precious) == "keep me\n");
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("fault 37: a worker that owns the pidfile's folder can lead the master nowhere") {
  if (::geteuid() != 0) {
    MESSAGE("not root: skipped");
    return;
  }
  constexpr uid_t kNobody = 65534;
  const TempDir dir;
  REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
  const std::string folder = dir.path("run");
  REQUIRE(::mkdir(folder.c_str(), 0755) == 0);
  REQUIRE(::chown(folder.c_str(), kNobody, kNobody) == 0);
  const std::string precious = dir.write("precious", "keep me\n");
  const std::string path = folder + "/master.pid";
  {
    Cluster cluster({.top = "user = \"nobody\"\n", .pidfile = path});
    // What a worker may do there.
    const std::string swap = "rm -f " + path + "; ln -s " + precious + " " + path;
    REQUIRE(run(as(kNobody, {"/bin/sh", "-c", swap})).code == 0);
    CHECK(cluster.verb({"reload"}).code == 0);
    CHECK(cluster.verb({"stop"}).code == 0);
  }
  CHECK(read_file(precious) == "keep me\n");
  CHECK(std::filesystem::is_symlink(path));  // not the master's: not its to remove
  Cluster next({.top = "user = \"nobody\"\n", .wait_until_running = false, .pidfile = path});
  CHECK(next.master().wait(20s) == 71);
  CHECK(next.log().find("the pidfile " + path) != std::string::npos);
  CHECK(read_file(precious) == "keep me\n");
}

TEST_CASE("a pidfile on a full disk holds up no start, and its lock counts") {
  if (::geteuid() != 0) {
    MESSAGE("not root: skipped");
    return;
  }
  const TempDir dir;
  const std::string disk = dir.path("disk");
  REQUIRE(::mkdir(disk.c_str(), 0700) == 0);
  REQUIRE(run({"mount", "-t", "tmpfs", "-o", "size=64k", "none", disk}).code == 0);
  {
    (void)run({"/bin/sh", "-c", "cat /dev/zero > " + disk + "/full"});
    Cluster cluster({.pidfile = disk + "/master.pid"});
    CHECK(cluster.log().find("write the pidfile") != std::string::npos);
    CHECK(cluster.log().find("No space left on device") != std::string::npos);
    const TempDir other;
    const Finished second =
        run({clusterd_program(), "start", with_pidfile(cluster, other, disk + "/master.pid")});
    CHECK(second.code == 71);
    CHECK(cluster.verb({"stop", "--now"}).code == 0);
  }
  CHECK(run({"umount", disk}).code == 0);
}
