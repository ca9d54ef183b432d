// What workers print, and that it never stops them.
#include "common/unique_fd.h"
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// A script as the program of the workers.
std::string script(const TempDir& dir, const std::string& text) {
  const std::string path = dir.write("worker", "#!/bin/sh\n" + text);
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
  return path;
}

std::string printed(const Cluster& cluster) { return read_file(cluster.dir().path("out")); }

long rss_kib(pid_t pid) {
  std::istringstream lines(read_file("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
  }
  return 0;
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++found;
  return found;
}

void read_some(int fd, std::string& text) {
  char some[64 * 1024];
  for (ssize_t got = 0; (got = ::read(fd, some, sizeof some)) > 0;) {
    text.append(some, static_cast<std::size_t>(got));
  }
}

/// A pipe with a name, and its reader.
clusterd::UniqueFd make_fifo(const std::string& path) {
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  clusterd::UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(reader);
  return reader;
}

/// Lines that end with `line`, and those that are said to have been dropped.
std::size_t accounted(const std::string& text, const std::string& line) {
  std::size_t sum = 0;
  std::istringstream lines(text);
  for (std::string one; std::getline(lines, one);) {
    if (one.ends_with("] " + line)) ++sum;
    if (one.ends_with(" log lines dropped)")) sum += std::stoul(one.substr(1));
  }
  return sum;
}

}  // namespace

TEST_CASE("the last words of a worker that cannot start are in the log, before its end") {
  const TempDir dir;
  Cluster cluster({.workers = 1,
                   .command = {script(dir, "echo to stdout; echo no database >&2; exit 1\n")},
                   .wait_until_running = false});
  CHECK(cluster.master().wait(30s) == 75);
  const std::string log = cluster.log();
  CHECK(count(log, "no database\n") == 3);
  CHECK(log.find("no database\n") < log.find("exited with code 1"));
  CHECK(count(printed(cluster), "to stdout\n") == 3);
  CHECK(log.find("to stdout") == std::string::npos);
}

TEST_CASE("what a worker prints while it serves is seen at once, in whole lines") {
  const TempDir dir;
  const std::string noise =
      "(i=0; while [ $i -lt 200 ]; do printf \"half $i\"; printf ' whole\\n'; i=$((i+1)); done; "
      "printf 'no end'; : > " +
      dir.path("done-$$") + ") &\nexec " + fixture_worker() + " plain\n";
  Cluster cluster({.workers = 4, .command = {script(dir, noise)}});
  const auto all_printed = [&] {
    const auto workers = cluster.workers();
    return std::all_of(workers.begin(), workers.end(), [&](pid_t pid) {
      return ::access(dir.path("done-" + std::to_string(pid)).c_str(), F_OK) == 0;
    });
  };
  REQUIRE(eventually(all_printed, 30s));
  REQUIRE(eventually([&] { return count(printed(cluster), "half 199 whole\n") == 4; }, 30s));
  CHECK(get(cluster.port()).ok());
  const std::string out = printed(cluster);
  for (int i = 0; i < 200; ++i) {
    const std::string line = "half " + std::to_string(i) + " whole\n";
    REQUIRE(count(out, "] " + line) == 4);
  }
  CHECK(count(out, "no end") == 0);
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(count(printed(cluster), "no end\n") == 4);
}

TEST_CASE("fault 39: no worker's line looks like the master's, another's, or two") {
  const TempDir dir;
  const std::string forged = "2026-01-01 00:00:00.000 error   master[1] all is lost";
  dir.write("noise", forged + "\n\x1b[2Jcleared\x07" + std::string(1, '\0') + "\xff\rback\n" +
                         std::string(1'000'000, 'y') + "\n");
  const std::string noise = "cat " + dir.path("noise") + "\nexec " + fixture_worker() + " plain\n";
  SUBCASE("as it is from the start") {
    Cluster cluster({.workers = 1, .command = {script(dir, noise)}});
    const std::string who = " stdout  worker-0[" + std::to_string(cluster.workers().at(0)) + "] ";
    const auto all = [&] { return count(printed(cluster), "y") == 1'000'000; };
    REQUIRE(eventually(all, 30s));
    std::istringstream lines(printed(cluster));
    for (std::string line; std::getline(lines, line);) CHECK(line.find(who) == 23);
    const std::string out = printed(cluster);
    CHECK(count(out, who + forged + "\n") == 1);
    CHECK(count(out, who + "\\x1b[2Jcleared\\x07\\x00\xff\\x0dback\n") == 1);
  }
  SUBCASE("not where it is not wanted") {
    Cluster cluster({.workers = 1, .command = {script(dir, noise)}, .log_keys = "frame = false\n"});
    REQUIRE(eventually([&] { return count(printed(cluster), "y") == 1'000'000; }, 30s));
    CHECK(printed(cluster).starts_with(forged + "\n\x1b[2Jcleared"));
  }
}

TEST_CASE("a worker that prints 100 MB is held up by nobody, and the master stays small") {
  constexpr std::size_t kLines = 10'000 * CLUSTERD_TEST_SCALE;                     // of 100 bytes
  constexpr long kMayGrowKib = CLUSTERD_TEST_SCALE == 100 ? 6 * 1024 : 64 * 1024;  // ASan hoards
  const std::string line(99, 'x');
  const TempDir dir;
  const std::string go = dir.path("go");
  const std::string noisy = "until [ -e " + go + " ]; do :; done\nyes " + line +
                            " 2>/dev/null | head -n " + std::to_string(kLines) + " >&2\nexec " +
                            fixture_worker() + " plain\n";
  std::string err = "/dev/null";
  clusterd::UniqueFd reader;
  SUBCASE("that prints to nobody") {}
  SUBCASE("that prints to somebody who does not read") {
    err = dir.path("fifo");
    reader = make_fifo(err);
  }
  Cluster cluster({.workers = 1,
                   .command = {script(dir, noisy)},
                   .worker_keys = "ready_timeout = \"100s\"\n",
                   .wait_until_running = false,
                   .err = err});
  REQUIRE(eventually([&] { return cluster.status().has_value(); }, 30s));
  const long before = rss_kib(cluster.master().pid());
  dir.write("go", "");
  CHECK(eventually([&] { return cluster.running(1); }, 100s));
  CHECK(get(cluster.port()).ok());
  CHECK(rss_kib(cluster.master().pid()) - before < kMayGrowKib);
  if (!reader) return;

  // Every line is there, or is counted.
  std::string text;
  const auto whole = [&] { return read_some(reader.get(), text), accounted(text, line) == kLines; };
  CHECK(eventually(whole, 30s));
  CHECK(count(text, "log lines dropped)\n") > 0);
  CHECK(count(text, line + "\n") > 5'000);  // 1 MiB, but for the log's part
}

TEST_CASE("the master gives up and goes though nobody reads what it and its workers print") {
  const TempDir dir;
  const std::string err = dir.path("fifo");
  const clusterd::UniqueFd reader = make_fifo(err);
  Cluster cluster({.workers = 1,
                   .command = {script(dir, "yes 2>/dev/null | head -n 1000000 >&2; exit 1\n")},
                   .wait_until_running = false,
                   .err = err});
  CHECK(cluster.master().wait(30s) == 75);
}
