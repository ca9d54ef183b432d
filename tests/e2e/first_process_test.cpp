// The master as PID 1, as in a container: in a pid namespace of its own.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;

/// A namespace of processes can be made by root, and by others in a namespace of users.
std::vector<std::string> in_a_container() {
  return {"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"};
}

bool cannot() {
  if (::geteuid() == 0) return false;
  MESSAGE("not root: skipped");
  return true;
}

/// Its number outside.
pid_t first_process(Cluster& cluster) {
  const auto children = children_of(cluster.master().pid());
  return children.empty() ? 0 : children.front();
}

/// Whoever has ended among its children and was not reaped.
std::size_t zombies_of(pid_t parent) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string text = read_file("/proc/" + name + "/stat");
    const std::size_t end = text.rfind(')');
    if (end == std::string::npos) continue;
    if (text.substr(end, 5).find(" Z ") == std::string::npos) continue;
    if (text.find(" " + std::to_string(parent) + " ", end) == end + 3) ++count;
  }
  return count;
}

/// Runs a shell in the namespaces of the master, as the child of a child that is gone.
void run_inside(pid_t master, const std::string& script) {
  CHECK(run({"nsenter", "-t", std::to_string(master), "-p", "-m", "/bin/sh", "-c", script}).code ==
        0);
}

}  // namespace

TEST_CASE("as PID 1 the master reaps orphans, and never takes the end of its own children (D30)") {
  if (cannot()) return;
  Cluster cluster({.workers = 2, .under = in_a_container()});
  const pid_t master = first_process(cluster);
  REQUIRE(cluster.status()->at("master").at("pid") == 1);
  constexpr int kTimes = kSanitized ? 200 : 1000;
  // Each is the child of a shell that does not wait for it.
  run_inside(master, "i=0; while [ $i -lt " + std::to_string(kTimes) +
                         " ]; do (/bin/true & exit 0); i=$((i+1)); done; sleep 0.1 & exit 0");
  // Ours die among them: each end must be known, with its signal, and bring one successor.
  for (int time = 0; time < 5; ++time) {
    const auto children = children_of(master);
    std::vector<pid_t> workers;
    for (const pid_t child : children) {
      if (read_file("/proc/" + std::to_string(child) + "/cmdline").find("http-worker") !=
          std::string::npos) {
        workers.push_back(child);
      }
    }
    if (workers.empty()) continue;
    run_inside(master, "(/bin/true &) ; (/bin/true &)");
    ::kill(workers.front(), SIGKILL);
    CHECK(eventually([&] { return !alive(workers.front()); }, 10s));
    CHECK(eventually([&] { return cluster.running(2); }, 20s));
  }
  const bool none = eventually([&] { return zombies_of(master) == 0; }, 10s);
  CHECK(none);
  CHECK(children_of(master).size() == 3);
  const std::string log = cluster.log();
  std::size_t killed = 0;
  for (std::size_t at = log.find("killed by signal 9"); at != std::string::npos;
       at = log.find("killed by signal 9", at + 1)) {
    ++killed;
  }
  CHECK(killed == 5);
  CHECK(get(cluster.port()).ok());
  CHECK(cluster.verb({"stop"}).code == 0);
}

TEST_CASE("as PID 1 the master stops on TERM within its deadline, orphans or not (D30)") {
  if (cannot()) return;
  Cluster cluster({.workers = 2, .under = in_a_container()});
  const pid_t master = first_process(cluster);
  REQUIRE(cluster.running(2));
  run_inside(master, "(trap '' TERM; sleep 1000 >/dev/null 2>&1 &)");
  const auto begin = Clock::now();
  ::kill(master, SIGTERM);
  CHECK(cluster.master().wait(20s) == 0);
  CHECK(Clock::now() - begin < 10s);  // Docker's patience
}

TEST_CASE("as PID 1 the master hears a TERM that comes before it is up") {
  if (cannot()) return;
  // What PID 1 has no handler for is lost, and the container would be killed after ten seconds.
  for (int milliseconds = 0; milliseconds < 200; milliseconds += kSanitized ? 40 : 10) {
    CAPTURE(milliseconds);
    Cluster cluster({.workers = 1, .wait_until_running = false, .under = in_a_container()});
    const auto is_clusterd = [&] {
      const pid_t master = first_process(cluster);
      // Its signals are held.
      const std::string status = read_file("/proc/" + std::to_string(master) + "/status");
      const std::size_t at = status.find("SigBlk:\t");
      return master != 0 && at != std::string::npos &&
             (std::stoull(status.substr(at + 8), nullptr, 16) & (1ULL << (SIGTERM - 1))) != 0;
    };
    const auto is_up = [&] { return cluster.status().has_value(); };
    REQUIRE(eventually([&] { return is_clusterd() || is_up(); }, 20s));
    (void)eventually([] { return false; }, std::chrono::milliseconds(milliseconds));
    if (const pid_t master = first_process(cluster); master != 0) ::kill(master, SIGTERM);
    CHECK(cluster.master().wait(20s) == 0);
  }
}

TEST_CASE("start --daemon as PID 1 is a mistake that is said") {
  if (cannot()) return;
  const TempDir dir;
  Cluster cluster({.wait_until_running = false});
  std::vector<std::string> words = in_a_container();
  words.insert(words.end(), {clusterd_program(), "start", "--daemon", cluster.conf()});
  const Finished started = run(words);
  CHECK(started.code == 64);
  CHECK(started.err.find("leave --daemon away") != std::string::npos);
}
