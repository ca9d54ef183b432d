// What the service manager that started the master is told, and that it is told or not makes no
// difference to anybody else. A real systemd is in tests/systemd.
#include "tests/support/cluster.h"
#include "tests/support/ear.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/pool.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

constexpr auto kSoon = 20s;

ClusterOptions quick(const std::string& worker_keys = "") {
  return {.workers = 2,
          .command = {fixture_worker()},
          .worker_keys = worker_keys,
          .more = "[reload]\nsettle = \"0\"\n"};
}

std::ptrdiff_t place_of(const std::vector<std::string>& lines, const std::string& beginning) {
  const auto found = std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.starts_with(beginning);
  });
  return found == lines.end() ? -1 : found - lines.begin();
}

bool heard(Ear& ear, const std::string& beginning, std::size_t times = 1) {
  return eventually([&] { return ear.count(beginning) >= times; }, kSoon);
}

/// The number of the last line KEY=NUMBER.
std::int64_t last_number(Ear& ear, const std::string& key) {
  std::int64_t number = -1;
  for (const std::string& line : ear.lines()) {
    if (line.starts_with(key)) number = std::stol(line.substr(key.size()));
  }
  return number;
}

std::int64_t monotonic_usec() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

}  // namespace

TEST_CASE("a manager is told of the start, of each change once, of reloads and of the stop") {
  const TempDir dir;
  Ear ear(dir.path("notify"));
  const Variable notify("NOTIFY_SOCKET", dir.path("notify"));
  Cluster cluster(quick());
  REQUIRE(heard(ear, "STATUS=running: 2 of 2 workers ready"));
  const auto start = ear.told();
  CHECK(place_of(start, "STATUS=starting: 0 of 2 workers ready") == 0);
  CHECK(place_of(start, "READY=1") == place_of(start, "STATUS=running: 2 of 2") - 1);
  CHECK(ear.count("READY=1") == 1);
  CHECK(ear.count("EXTEND_TIMEOUT_USEC=") > 0);
  CHECK(ear.count("WATCHDOG=") == 0);  // nobody has asked for it

  const std::int64_t before = monotonic_usec();
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK(ear.count("RELOADING=1") == 1);
  CHECK(ear.count("READY=1") == 2);  // said before the verdict
  CHECK(last_number(ear, "MONOTONIC_USEC=") >= before);
  CHECK(last_number(ear, "MONOTONIC_USEC=") <= monotonic_usec());
  CHECK(ear.count("STATUS=reloading: 1 of 2 workers replaced") > 0);

  ::kill(cluster.workers().at(0), SIGKILL);
  CHECK(heard(ear, "STATUS=degraded: 1 of 2 workers ready"));
  CHECK(eventually([&] { return ear.told().back() == "STATUS=running: 2 of 2 workers ready"; },
                   kSoon));

  CHECK(cluster.verb({"stop"}).code == 0);
  const auto all = ear.told();
  const auto stopping = place_of(all, "STOPPING=1");
  REQUIRE(stopping > 0);
  CHECK(all.at(static_cast<std::size_t>(stopping) + 1).starts_with("STATUS=stopping: 2 workers"));
  CHECK(all.back() == "STATUS=stopped");
  CHECK(ear.count("READY=1") == 2);
  std::string last;
  for (const std::string& line : all) {
    if (!line.starts_with("STATUS=")) continue;
    CHECK(line != last);
    last = line;
  }
}

TEST_CASE("a manager that reloads by HUP hears of the end, whatever it was") {
  const TempDir dir;
  Ear ear(dir.path("notify"));
  const Variable notify("NOTIFY_SOCKET", dir.path("notify"));
  Cluster cluster(quick());
  REQUIRE(heard(ear, "READY=1"));
  const std::string good = read_file(cluster.conf());
  cluster.dir().write("app.conf", "no = \"key\"\n");
  cluster.master().signal(SIGHUP);
  REQUIRE(heard(ear, "READY=1", 2));
  CHECK(ear.count("RELOADING=1") == 1);

  cluster.dir().write("app.conf", good + "[worker.env]\nFIXTURE_DIE_AT_START = \"3\"\n");
  CHECK(cluster.verb({"reload"}).code == 75);
  CHECK(ear.count("RELOADING=1") == 2);
  CHECK(ear.count("READY=1") == 3);
  CHECK(cluster.master().running());
}

TEST_CASE("a start that fails is told of with its reason, and is never ready") {
  const TempDir dir;
  Ear ear(dir.path("notify"));
  const Variable notify("NOTIFY_SOCKET", dir.path("notify"));
  ClusterOptions options = quick("env = { FIXTURE_DIE_AT_START = \"3\" }\n");
  options.wait_until_running = false;
  Cluster cluster(options);
  CHECK(cluster.master().wait(kSoon) == 75);
  CHECK(ear.count("READY=1") == 0);
  CHECK(ear.count("STATUS=could not start: ") == 1);
  CHECK(ear.told().back().find("exited with code 3") != std::string::npos);
}

TEST_CASE("children find nothing of what the master's manager has left for it") {
  const TempDir dir;
  const Ear ear(dir.path("notify"));
  const Variable notify("NOTIFY_SOCKET", dir.path("notify"));
  const Variable usec("WATCHDOG_USEC", "60000000");
  const Variable fds("LISTEN_FDNAMES", "http");
  Cluster cluster(quick());
  std::vector<pid_t> children = cluster.workers();
  children.push_back(cluster.agent());
  for (const pid_t pid : children) {
    const std::string environment = read_file("/proc/" + std::to_string(pid) + "/environ");
    CHECK(environment.find(dir.path("notify")) == std::string::npos);
    CHECK(environment.find("60000000") == std::string::npos);
    CHECK(environment.find("LISTEN_") == std::string::npos);
  }
}

TEST_CASE("the watchdog is fed by the loop alone") {
  const TempDir dir;
  Ear ear(dir.path("notify"));
  const Variable notify("NOTIFY_SOCKET", dir.path("notify"));
  const Variable usec("WATCHDOG_USEC", "100000");
  Cluster cluster(quick());
  const std::size_t before = ear.count("WATCHDOG=1");
  CHECK(heard(ear, "WATCHDOG=1", before + 5));

  cluster.master().signal(SIGSTOP);
  CHECK(eventually(
      [&] {
        return read_file("/proc/" + std::to_string(cluster.master().pid()) + "/stat")
                   .find(") T ") != std::string::npos;
      },
      kSoon));
  const std::size_t stopped = ear.count("WATCHDOG=1");
  CHECK_FALSE(eventually([&] { return ear.count("WATCHDOG=1") > stopped; }, 500ms));
  cluster.master().signal(SIGCONT);
  CHECK(heard(ear, "WATCHDOG=1", stopped + 1));
}

TEST_CASE("while workers finish what they hold, the manager is asked for more time") {
  const TempDir dir;
  Ear ear(dir.path("notify"));
  const Variable notify("NOTIFY_SOCKET", dir.path("notify"));
  Cluster cluster(quick("drain_timeout = \"60s\"\n"));
  Client client(cluster.port());
  client.ask(true, "/slow?ms=60000");
  CHECK(eventually(
      [&] {
        const auto now = cluster.counts();
        return now && now->workers[0].active + now->workers[1].active == 1;
      },
      kSoon));
  const std::size_t before = ear.count("EXTEND_TIMEOUT_USEC=");
  cluster.master().signal(SIGTERM);
  REQUIRE(heard(ear, "STOPPING=1"));
  CHECK(heard(ear, "EXTEND_TIMEOUT_USEC=", before + 3));
  CHECK(heard(ear, "STATUS=stopping: 1 worker finishes what it holds"));
  cluster.master().signal(SIGQUIT);
  CHECK(cluster.master().wait(kSoon) == 0);
}

TEST_CASE("a notify socket that is deleted, or that nobody reads, disturbs nothing (fault 43)") {
  const TempDir dir;
  std::optional<Ear> ear(dir.path("notify"));
  const Variable notify("NOTIFY_SOCKET", dir.path("notify"));
  const Variable usec("WATCHDOG_USEC", "2000");  // its queue is full in no time
  Cluster cluster(quick());
  SUBCASE("deleted") {
    ear.reset();
    ::unlink(dir.path("notify").c_str());
  }
  SUBCASE("closed") { ear.reset(); }
  SUBCASE("full") {
    CHECK(eventually([&] { return cluster.verb({"scale", "2"}).code == 0; }, kSoon));
  }
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK(get(cluster.port()).ok());
  SUBCASE("read again, it has heard the words that matter") {
    CHECK(heard(*ear, "RELOADING=1"));
    CHECK(heard(*ear, "READY=1", 2));
  }
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(cluster.log().find("AddressSanitizer") == std::string::npos);
}
