// A log that is rotated: the agent writes it, and whatever becomes of the agent or of the disk, no
// worker waits, and no line is lost without being counted.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kRestartAlways =
    "[restart]\nlimit = 1000\nbackoff = { first = \"1ms\", max = \"10ms\" }\n";

std::string log_in(const TempDir& dir, const std::string& more) {
  return "file = \"" + dir.path("shop.log") + "\"\n" + more;
}

/// A worker that prints so many lines of 100 bytes when the file "go" is there, and "done" once it
/// has; and serves.
std::vector<std::string> printer(const TempDir& dir, std::size_t lines) {
  const std::string line(99, 'x');
  const std::string path = dir.write(
      "worker", "#!/bin/sh\n(until [ -e " + dir.path("go") + " ]; do sleep 0.1; done\nyes " + line +
                    " 2>/dev/null | head -n " + std::to_string(lines) + "\n: > " +
                    dir.path("done") + ") 3>&- &\nexec " + fixture_worker() + " plain\n");
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
  return {path};
}

bool is_there(const std::string& path) { return std::filesystem::exists(path); }

/// Lines of the printer that are in the log's files, and those that are said to have been dropped.
std::size_t accounted(const TempDir& dir) {
  const std::string line = "] " + std::string(99, 'x');
  std::size_t sum = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("shop.log")) continue;
    std::istringstream lines(name.ends_with(".gz") ? run({"gzip", "-dc", entry.path()}).out
                                                   : read_file(entry.path()));
    for (std::string one; std::getline(lines, one);) {
      if (one.ends_with(line)) ++sum;
      if (one.ends_with(" log lines dropped)")) sum += std::stoul(one.substr(1));
    }
  }
  return sum;
}

std::uint64_t total(const TempDir& dir) {
  std::uint64_t sum = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    std::error_code gone;
    const std::uint64_t size = entry.file_size(gone);
    if (!gone && entry.path().filename().string().starts_with("shop.log")) sum += size;
  }
  return sum;
}

/// May no file of the process grow beyond so much?
void limit_files(pid_t pid, rlim_t bytes) {
  const rlimit limit{bytes, RLIM_INFINITY};
  REQUIRE(::prlimit(pid, RLIMIT_FSIZE, &limit, nullptr) == 0);
}

bool is_root() {
  if (::geteuid() == 0) return true;
  MESSAGE("not run: it needs root");
  return false;
}

std::string printed_aside(const Cluster& cluster) { return cluster.log(); }

}  // namespace

TEST_CASE("the agent writes the log from the first line to the last") {
  const TempDir dir;
  Cluster cluster({.workers = 1, .log_keys = log_in(dir, "rotate = \"daily\"\n")});
  const std::string path = dir.path("shop.log");
  const auto has = [&](const std::string& text) {
    return read_file(path).find(text) != std::string::npos;
  };
  CHECK(eventually([&] { return has("serving"); }, 10s));
  CHECK(cluster.verb({"stop"}).code == 0);
  const std::string log = read_file(path);
  CHECK(log.find("1 worker") < log.find("serving"));
  CHECK(log.ends_with("stopped\n"));
  CHECK(printed_aside(cluster).empty());
  struct stat file{};
  REQUIRE(::stat(path.c_str(), &file) == 0);
  CHECK((file.st_mode & 0777) == 0640);
}

TEST_CASE("a log that is JSON is so in every line") {
  const TempDir dir;
  const std::string worker =
      dir.write("worker", "#!/bin/sh\necho 'no \"db\"' >&2\nexec " + fixture_worker() + " plain\n");
  REQUIRE(::chmod(worker.c_str(), 0755) == 0);
  std::string keys = "format = \"json\"\n";
  bool by_agent = false;
  SUBCASE("on stderr") {}
  SUBCASE("in a file that is rotated") { by_agent = true; }
  if (by_agent) keys = log_in(dir, keys + "rotate = \"1MiB\"\n");
  Cluster cluster({.workers = 1, .command = {worker}, .log_keys = keys});
  CHECK(cluster.verb({"stop"}).code == 0);
  std::istringstream lines(by_agent ? read_file(dir.path("shop.log")) : cluster.log());
  bool worker_seen = false;
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    CAPTURE(line);
    const auto json = boost::json::parse(line).as_object();
    CHECK(json.at("time").as_string().size() == 24);
    CHECK(json.contains("text"));
    if (json.at("from") != "worker") continue;
    worker_seen = true;
    CHECK(json.at("slot") == 0);
    CHECK(json.at("stream") == "stderr");
    CHECK(json.at("text") == "no \"db\"");
  }
  CHECK(worker_seen);
  CHECK(count > 5);
}

TEST_CASE("at midnight a new file is begun and the programs are told") {
  constexpr long kUntil = 20;
  // A zone in which it is that long until midnight: -HH:MM:SS is ahead of UTC.
  const long of_day = static_cast<long>(std::time(nullptr)) % 86'400;
  const long ahead = (2 * 86'400 - kUntil - of_day) % 86'400;
  const auto two = [](long number) { return (number < 10 ? ":0" : ":") + std::to_string(number); };
  const std::string zone =
      "TZ=AAA-" + std::to_string(ahead / 3600) + two(ahead / 60 % 60) + two(ahead % 60);
  const TempDir dir;
  Cluster cluster({.workers = 1,
                   .command = {messages_worker()},
                   .log_keys = log_in(dir, "rotate = \"daily\"\ngzip = false\n"),
                   .under = {"env", zone}});
  const auto old = [&] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
      const std::string name = entry.path().filename();
      if (name != "shop.log") names.push_back(name);
    }
    return names;
  };
  CHECK(eventually([&] { return old().size() == 1; }, 60s));
  CHECK(read_file(dir.path(old().at(0))).find("23:59:") != std::string::npos);
  CHECK(read_file(dir.path(old().at(0))).find("00:00:") == std::string::npos);
  const auto heard = [&] {
    return get(cluster.port(), 10s, "/news").body.find("log-reload") != std::string::npos;
  };
  CHECK(eventually(heard, 10s));
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(read_file(dir.path("shop.log")).find("00:00:") != std::string::npos);
}

TEST_CASE("demand 29: the log's files together are bounded whatever a worker prints") {
  constexpr std::size_t kLines = 10'000 * CLUSTERD_TEST_SCALE;
  constexpr std::uint64_t kTotal = 4 * 1024 * 1024;
  const TempDir dir;
  Cluster cluster({.workers = 1,
                   .command = printer(dir, kLines),
                   .log_keys = log_in(dir, "rotate = \"daily\"\nmax_total = \"4MiB\"\n")});
  dir.write("go", "");
  std::uint64_t most = 0;
  const auto ended = [&] {
    most = std::max(most, total(dir));
    return is_there(dir.path("done"));
  };
  const auto begun = std::chrono::steady_clock::now();
  CHECK(eventually(ended, 200s));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  MESSAGE("printed " << static_cast<double>(kLines) * 100 / 1e6 / took.count() << " MB/s");
  CHECK(get(cluster.port()).ok());
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(std::max(most, total(dir)) <= kTotal);
  CHECK(most > kTotal / 4);
}

TEST_CASE("a killed agent costs no line that is not counted") {
  constexpr std::size_t kLines = 5'000 * CLUSTERD_TEST_SCALE;
  const TempDir dir;
  Cluster cluster({.workers = 1,
                   .command = printer(dir, kLines),
                   .log_keys = log_in(dir, "rotate = \"1MiB\"\nkeep = 10000\nmax_total = \"0\"\n"),
                   .more = kRestartAlways});
  dir.write("go", "");
  int killed = 0;
  pid_t last = 0;
  const auto ended = [&] {
    const pid_t agent = cluster.agent();
    if (killed < 20 && agent != last && agent > 0) {
      last = agent;
      ::kill(agent, SIGKILL);
      ++killed;
    }
    return is_there(dir.path("done"));
  };
  CHECK(eventually(ended, 200s));
  CHECK(killed > 0);
  CHECK(get(cluster.port()).ok());
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(accounted(dir) == kLines);
}

TEST_CASE("a stopped agent holds up nobody and what is missing is said") {
  constexpr std::size_t kLines = 50'000 + 500 * CLUSTERD_TEST_SCALE;  // more than the pipe holds
  const TempDir dir;
  Cluster cluster({.workers = 1,
                   .command = printer(dir, kLines),
                   .log_keys = log_in(dir, "rotate = \"daily\"\nmax_total = \"0\"\n")});
  const pid_t agent = cluster.agent();
  ::kill(agent, SIGSTOP);
  dir.write("go", "");
  CHECK(eventually([&] { return is_there(dir.path("done")); }, 100s));
  CHECK(get(cluster.port()).ok());
  const auto told = [&] {
    return printed_aside(cluster).find("nobody writes the log") != std::string::npos;
  };
  CHECK(eventually(told, 30s));
  ::kill(agent, SIGCONT);
  CHECK(eventually([&] { return accounted(dir) == kLines; }, 60s));
  const auto again = [&] {
    return printed_aside(cluster).find("the log is written again") != std::string::npos;
  };
  CHECK(eventually(again, 30s));
}

TEST_CASE("an agent that is given up holds up nobody and what is missing is said") {
  constexpr std::size_t kLines = 50'000 + 500 * CLUSTERD_TEST_SCALE;  // more than the pipe holds
  const TempDir dir;
  Cluster cluster({.workers = 1,
                   .command = printer(dir, kLines),
                   .log_keys = log_in(dir, "rotate = \"daily\"\n"),
                   .more = "[restart]\nlimit = 1\nbackoff = { first = \"1ms\" }\n"});
  pid_t last = 0;
  const auto given_up = [&] {
    const pid_t agent = cluster.agent();
    if (agent > 0 && agent != last) ::kill(last = agent, SIGKILL);
    return cluster.verb({"events"}).out.find(R"("event":"giveup","role":"agent")") !=
           std::string::npos;
  };
  REQUIRE(eventually(given_up, 60s));
  dir.write("go", "");
  CHECK(eventually([&] { return is_there(dir.path("done")); }, 100s));
  CHECK(get(cluster.port()).ok());
  const auto told = [&] {
    return printed_aside(cluster).find("nobody writes the log") != std::string::npos;
  };
  CHECK(eventually(told, 30s));
  CHECK(cluster.verb({"stop"}).code == 0);
}

TEST_CASE("a full disk holds up nobody and what is missing is said") {
  constexpr std::size_t kLines = 5'000 * CLUSTERD_TEST_SCALE;
  const TempDir dir;
  Cluster cluster({.workers = 1,
                   .command = printer(dir, kLines),
                   .log_keys = log_in(dir, "rotate = \"daily\"\nmax_total = \"0\"\n")});
  const pid_t agent = cluster.agent();
  limit_files(agent, 100'000);
  dir.write("go", "");
  CHECK(eventually([&] { return is_there(dir.path("done")); }, 100s));
  CHECK(get(cluster.port()).ok());
  const auto told = [&] {
    return printed_aside(cluster).find("the log is not written: write to the log") !=
           std::string::npos;
  };
  CHECK(eventually(told, 30s));
  const auto status = cluster.status();
  REQUIRE(status.has_value());
  CHECK(status->at("log").at("error").as_string().find("File too large") != std::string::npos);
  CHECK(cluster.verb({"status"}).out.find("\nthe log is not written: ") != std::string::npos);
  CHECK(total(dir) <= 100'000);
  CHECK(cluster.agent() == agent);
  limit_files(agent, RLIM_INFINITY);
  CHECK(eventually([&] { return accounted(dir) == kLines; }, 60s));
  CHECK(cluster.status()->at("log").as_object().contains("error") == false);
}

TEST_CASE("a log that cannot be written ends the start with the reason") {
  const TempDir dir;
  std::string more = "rotate = \"daily\"\n";
  SUBCASE("no such folder") {
    Cluster cluster({.log_keys = "file = \"" + dir.path("none/shop.log") + "\"\n" + more,
                     .wait_until_running = false});
    CHECK(cluster.master().wait(30s) == 71);
    CHECK(cluster.log().find("find the folder " + dir.path("none")) != std::string::npos);
  }
  SUBCASE("not its user's folder") {
    if (!is_root()) return;
    REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
    Cluster cluster({.log_keys = log_in(dir, more), .as = 4321, .wait_until_running = false});
    CHECK(cluster.master().wait(60s) == 75);
    CHECK(cluster.log().find("clusterd agent: open the log " + dir.path("shop.log") +
                             ": Permission denied") != std::string::npos);
  }
}

TEST_CASE("the log of a root master belongs to user and so do its last lines") {
  if (!is_root()) return;
  const TempDir dir;
  REQUIRE(::chown(dir.path().c_str(), 4321, 4321) == 0);
  Cluster cluster({.workers = 1,
                   .log_keys = log_in(dir, "rotate = \"daily\"\n"),
                   .top = "user = \"4321\"\ngroup = \"4321\"\n"});
  CHECK(cluster.verb({"stop"}).code == 0);
  struct stat file{};
  REQUIRE(::stat(dir.path("shop.log").c_str(), &file) == 0);
  CHECK(file.st_uid == 4321);
  CHECK(read_file(dir.path("shop.log")).ends_with("stopped\n"));
  CHECK(printed_aside(cluster).find("open the log") == std::string::npos);
}

TEST_CASE("reopen goes on in a new file and tells the programs") {
  const TempDir dir;
  std::string keys;
  SUBCASE("that the agent writes") { keys = "rotate = \"daily\"\n"; }
  SUBCASE("that the master writes") {}
  Cluster cluster({.workers = 1, .command = {messages_worker()}, .log_keys = log_in(dir, keys)});
  const std::string path = dir.path("shop.log");
  REQUIRE(eventually([&] { return read_file(path).find("serving") != std::string::npos; }, 10s));
  std::filesystem::rename(path, dir.path("elsewhere"));
  const Finished done = cluster.verb({"reopen"});
  CHECK(done.code == 0);
  CHECK(done.out.find("log") != std::string::npos);
  CHECK(eventually([&] { return is_there(path); }, 10s));
  CHECK(eventually([&] { return read_file(path).find("asked to reopen") != std::string::npos; },
                   10s));
  const auto heard = [&] {
    return get(cluster.port(), 10s, "/news").body.find("log-reload") != std::string::npos;
  };
  CHECK(eventually(heard, 10s));
}
