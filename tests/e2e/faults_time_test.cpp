// Faults by their numbers in the list of what a supervisor has to bear: clocks that jump, and
// signals at any moment.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/told.h"

#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unistd.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;
constexpr std::int64_t kYear = 365LL * 24 * 3600;

void let_pass(milliseconds time) {
  (void)eventually([] { return false; }, time);
}

/// Set for the programs that are started while it lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

/// How far the clocks of a cluster are off.
class Jump {
 public:
  explicit Jump(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT, 0600)) {
    to(0);
  }
  ~Jump() { ::close(fd_); }
  Jump(const Jump&) = delete;
  Jump& operator=(const Jump&) = delete;
  void to(std::int64_t seconds) const {
    REQUIRE(::pwrite(fd_, &seconds, sizeof seconds, 0) == sizeof seconds);
  }

 private:
  int fd_;
};

/// Nobody is left of a cluster whose master has ended.
bool nobody_left(pid_t master) {
  return eventually([&] { return session_of(master).empty(); }, 10s);
}

/// Whether a signal is an order to this process by now, or will be: in the first milliseconds of a
/// program it has its default action. Waits until it is the program that was started.
bool hears(pid_t pid, int signal) {
  const std::string proc = "/proc/" + std::to_string(pid);
  REQUIRE(
      eventually([&] { return read_file(proc + "/comm") != read_file("/proc/self/comm"); }, 10s));
  const std::string status = read_file(proc + "/status");
  std::uint64_t heard = 0;
  for (const std::string name : {"SigBlk:\t", "SigCgt:\t"}) {
    const std::size_t at = status.find(name);
    if (at != std::string::npos) heard |= std::stoull(status.substr(at + name.size()), nullptr, 16);
  }
  return (heard & (1ULL << static_cast<unsigned>(signal - 1))) != 0;
}

/// It ends as asked.
void check_ended(Cluster& cluster, int signal, bool heard) {
  const pid_t master = cluster.master().pid();
  const int code = cluster.master().wait(30s);
  CAPTURE(code);
  CHECK((code == 0 || (!heard && code == 128 + signal)));
  CHECK(nobody_left(master));
}

/// A signal that is no request to stop: it runs.
void check_lives(Cluster& cluster, int signal, bool heard) {
  const auto is_up = [&] {
    const auto status = cluster.status();
    return status && status->at("state") == "running";
  };
  CHECK(eventually([&] { return !cluster.master().running() || is_up(); }, 30s));
  if (!cluster.master().running()) return check_ended(cluster, signal, heard);
  CHECK(get(cluster.port()).ok());
  cluster.master().signal(SIGTERM);
  check_ended(cluster, SIGTERM, true);
}

const ClusterOptions kQuick{.workers = 2,
                            .worker_keys = "drain_timeout = \"500ms\"\n",
                            .more = "[reload]\nsettle = \"50ms\"\n",
                            .wait_until_running = false};

}  // namespace

TEST_CASE("a clock that jumps by a year, or a machine that slept, kills nobody (fault 42)") {
  const TempDir dir;
  const Jump jump(dir.path("jump"));
  std::unique_ptr<Cluster> cluster;
  {
    const Variable preload("LD_PRELOAD", CLUSTERD_TEST_CLOCK_JUMPS);
    const Variable order("ASAN_OPTIONS", "verify_asan_link_order=0");
    const Variable path("CLOCK_JUMPS_BY", dir.path("jump"));
    cluster = std::make_unique<Cluster>(ClusterOptions{
        .workers = 2,
        .worker_keys = "heartbeat_timeout = \"5s\"\nrecycle = { lifetime = \"10m\" }\n",
        .more = "[restart]\nlimit = 5\nwindow = \"60s\"\n"});
  }
  const auto workers = cluster->workers();
  const pid_t agent = cluster->agent();
  const auto before = time_of(told_first(*cluster, "start"));
  for (const std::int64_t seconds : {kYear, -kYear, std::int64_t{3600}, std::int64_t{0}}) {
    CAPTURE(seconds);
    jump.to(seconds);
    let_pass(kSanitized ? 1500ms : 1000ms);
    CHECK(get(cluster->port()).ok());
    CHECK(cluster->workers() == workers);
    CHECK(cluster->agent() == agent);
  }
  CHECK(cluster->status()->at("restarts").at("total") == 0);
  // In a jump: deaths are counted and replaced as ever, and only the date is another.
  jump.to(kYear);
  for (const pid_t pid : workers) ::kill(pid, SIGKILL);
  CHECK(eventually([&] { return cluster->replaced(workers, 2); }, 20s));
  jump.to(-kYear);
  const pid_t third = cluster->workers().front();
  ::kill(third, SIGKILL);
  CHECK(eventually([&] { return cluster->replaced({third}, 2); }, 20s));
  const auto restarts = cluster->status()->at("restarts");
  CHECK(restarts.at("in_window") == 3);
  CHECK(restarts.at("given_up") == false);
  CHECK(time_of(told_first(*cluster, "exit")) - before > 24h * 300);
  CHECK(cluster->verb({"stop"}).code == 0);
}

TEST_CASE("a stop at any moment of a start leaves nobody behind (fault 45)") {
  const std::vector<int> signals{SIGTERM, SIGINT, SIGQUIT};
  // A start takes some 15 ms, which are looked at one by one, and so is what comes right after it.
  constexpr int kRounds = kSanitized ? 21 : 60;
  constexpr int kEach = kSanitized ? 0 : 40;
  for (int round = 0; round < kRounds; ++round) {
    CAPTURE(round);
    const int signal = signals[static_cast<std::size_t>(round) % signals.size()];
    Cluster cluster(kQuick);
    let_pass(milliseconds(round < kEach ? round : round * 500 / kRounds));
    const bool heard = hears(cluster.master().pid(), signal);
    cluster.master().signal(signal);
    check_ended(cluster, signal, heard);
  }
}

TEST_CASE(
    "a signal that is no stop, at any moment of a start, leaves a cluster that runs (fault 45)") {
  const std::vector<int> signals{SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN};
  constexpr int kRounds = kSanitized ? 12 : 40;
  for (int round = 0; round < kRounds; ++round) {
    CAPTURE(round);
    const int signal = signals[static_cast<std::size_t>(round) % signals.size()];
    Cluster cluster(kQuick);
    let_pass(milliseconds(round * 300 / kRounds));
    const bool heard = hears(cluster.master().pid(), signal);
    cluster.master().signal(signal);
    check_lives(cluster, signal, heard);
  }
}

TEST_CASE("signals at random moments of a reload and of a stop end in a known state (fault 45)") {
  const std::vector<int> signals{SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, SIGHUP};
  const std::vector<int> ends{SIGTERM, SIGINT, SIGQUIT};
  std::mt19937 random(45);
  constexpr int kRounds = kSanitized ? 6 : 25;
  for (int round = 0; round < kRounds; ++round) {
    CAPTURE(round);
    ClusterOptions options = kQuick;
    options.wait_until_running = true;
    options.stop_delay = round % 2 == 0 ? "0" : "100ms";
    Cluster cluster(options);
    // Some drains have to wait for somebody.
    std::optional<Client> held;
    if (round % 3 == 0) held.emplace(cluster.port());
    cluster.master().signal(SIGHUP);
    for (int i = 0; i < 5; ++i) {
      let_pass(milliseconds(random() % 50));
      cluster.master().signal(signals[random() % signals.size()]);
    }
    const int end = ends[random() % ends.size()];
    for (int i = 0; i < 3; ++i) {
      let_pass(milliseconds(random() % 40));
      cluster.master().signal(end);
      cluster.master().signal(signals[random() % signals.size()]);
    }
    const pid_t master = cluster.master().pid();
    // It had been up, so that its end is in its own hands.
    CHECK(cluster.master().wait(30s) == 0);
    CHECK(nobody_left(master));
  }
}
