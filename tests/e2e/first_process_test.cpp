// The master as PID 1, as in a container: in a pid namespace of its own.
#include "common/unique_fd.h"
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/file.h>
#include <unistd.h>
#include <vector>

using namespace clusterd::test;
using clusterd::UniqueFd;
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

/// Whether the signal is in one of the sets of /proc/PID/status.
bool handles(pid_t pid, const std::string& set, int signal) {
  const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
  const std::size_t at = status.find(set + ":\t");
  if (at == std::string::npos) return false;
  const auto bits = std::stoull(status.substr(at + set.size() + 2), nullptr, 16);
  return (bits & (1ULL << static_cast<unsigned>(signal - 1))) != 0;
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
    const auto before = cluster.workers();  // their pids inside
    ::kill(workers.front(), SIGKILL);
    CHECK(eventually([&] { return !alive(workers.front()); }, 10s));
    CHECK(eventually([&] { return cluster.running(2) && cluster.workers() != before; }, 20s));
  }
  const bool none = eventually([&] { return zombies_of(master) == 0; }, 10s);
  CHECK(none);
  CHECK(eventually([&] { return children_of(master).size() == 3; }, 10s));
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
  const TempDir dir;
  dir.write("app.conf",
            "workers = 1\n[[listen]]\naddress = \"127.0.0.1:0\"\n[worker]\ncommand = [\"" +
                http_worker() + "\"]\n[control]\nsocket = \"ctl.sock\"\n");
  // The lock under which the control socket is made holds the master up, for a second at most.
  const UniqueFd folder(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(::flock(folder.get(), LOCK_EX) == 0);
  std::vector<std::string> words = in_a_container();
  words.insert(words.end(), {clusterd_program(), "start", dir.path("app.conf")});
  Program container(words, dir.path("err"), dir.path("err"));
  const auto master = [&] {
    const auto children = children_of(container.pid());
    return children.empty() ? 0 : children.front();
  };
  // unshare(1) blocks it for a moment as well, before it is clusterd that runs there.
  const auto is_clusterd = [](pid_t pid) {
    return pid != 0 && read_file("/proc/" + std::to_string(pid) + "/comm") == "clusterd\n";
  };
  // What PID 1 has no handler for is lost, and the container would be killed after ten seconds.
  // It tries so many times, and while it is stopped none of them passes.
  const auto is_seen = [&] {
    const pid_t pid = master();
    if (!is_clusterd(pid) || !handles(pid, "SigBlk", SIGTERM)) return false;
    ::kill(pid, SIGSTOP);
    return true;
  };
  REQUIRE(eventually(is_seen, 20s));
  CHECK_FALSE(handles(master(), "SigCgt", SIGTERM));
  ::kill(master(), SIGTERM);
  REQUIRE(::flock(folder.get(), LOCK_UN) == 0);
  ::kill(master(), SIGCONT);
  CHECK(container.wait(20s) == 0);
  CHECK(read_file(dir.path("err")).find("got TERM: stopping") != std::string::npos);
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
