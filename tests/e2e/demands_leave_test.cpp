// How a worker leaves, as D6, D7 and D8 of our list: its replacement comes at once, what it holds
// is finished, it gets nothing new, and it does not stay for ever.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/load.h"
#include "tests/support/told.h"

#include <boost/json/array.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <poll.h>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

using Clock = std::chrono::steady_clock;

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;
/// What a busy machine may add to a time that is measured.
constexpr milliseconds kNoise = kSanitized ? 2000ms : 400ms;
constexpr const char* kLong = "drain_timeout = \"60s\"\n";

ClusterOptions fixtures(unsigned workers, const std::string& keys = kLong,
                        const std::string& policy = "round-robin",
                        const std::string& mode = "events") {
  return {.workers = workers,
          .policy = policy,
          .command = {fixture_worker(), mode},
          .worker_keys = keys,
          // Deaths are what the tests are about, so they cause no pause.
          .more = "[restart]\nlimit = 1000\nbackoff = { first = \"10ms\", max = \"20ms\" }\n"};
}

std::optional<boost::json::object> status_of(const Cluster& cluster, pid_t pid) {
  const auto status = cluster.status();
  if (!status) return std::nullopt;
  for (const auto& worker : status->at("workers").as_array()) {
    if (worker.at("pid") == pid) return worker.as_object();
  }
  return std::nullopt;
}

/// The worker that holds the only connection that there is.
pid_t holder(const Cluster& cluster) {
  pid_t pid = 0;
  REQUIRE(eventually(
      [&] {
        for (const auto& worker : cluster.counts().value_or(Counts{}).workers) {
          if (worker.active == 1) pid = worker.pid;
        }
        return pid != 0;
      },
      20s));
  return pid;
}

/// Asks until this worker is the one that answers. It is round-robin's turn sooner or later.
void ask_worker(Cluster& cluster, pid_t pid, const std::string& path) {
  const auto turns = static_cast<int>(cluster.workers().size());
  for (int turn = 0; turn < turns; ++turn) {
    // Nobody else may do it, so it is asked for when the turn is known to be its own.
    if (pid_in(get(cluster.port(), 20s).body) != pid) continue;
    for (int other = 1; other < turns; ++other) {
      REQUIRE(pid_in(get(cluster.port(), 20s).body) != pid);
    }
    REQUIRE(pid_in(get(cluster.port(), 20s, path).body) == pid);
    return;
  }
  FAIL("it has no turn");
}

/// Asks this worker on a connection that is known to be its own, whoever's turn it is.
void ask_idle(Cluster& cluster, pid_t pid, const std::string& path) {
  std::vector<Client> held;
  bool found = false;
  const auto has_it = [&] {
    std::int64_t all = 0;
    for (const auto& worker : cluster.counts().value_or(Counts{}).workers) {
      all += worker.active;
      found = found || (worker.pid == pid && worker.active == 1);
    }
    return all == static_cast<std::int64_t>(held.size());
  };
  while (!found) {
    held.emplace_back(cluster.port());
    REQUIRE(eventually(has_it, 20s));
  }
  held.back().ask(true, path);
  REQUIRE(pid_in(held.back().read_to_end(20s).body) == pid);
}

/// All workers are ready, and this one is none of them.
bool replaced(const Cluster& cluster, pid_t pid, unsigned workers) {
  return eventually([&] { return cluster.replaced({pid}, workers); }, 30s);
}

/// Forks for the slot that this worker was in, without its own.
std::size_t successors(const Cluster& cluster, pid_t pid) {
  const Told own = told_first(cluster, "fork", {{"pid", pid}});
  return told(cluster, "fork", {{"role", "worker"}, {"slot", own.at("slot")}}).size() - 1;
}

/// It leaves by its own word, or because it is asked to.
void check_draining_gets_nothing(const std::string& policy, bool suicide) {
  constexpr auto kLoad = kSanitized ? 4s : 1500ms;
  constexpr auto kSettled = kSanitized ? 2s : 500ms;
  CAPTURE(suicide);
  Cluster cluster(fixtures(3, kLong, policy));
  Client held(cluster.port());
  const pid_t old = holder(cluster);
  const auto slot = status_of(cluster, old).value().at("slot").as_int64();
  Load load(cluster.port(), {.rate = kSanitized ? 100.0 : 400.0, .patience = 20s});
  if (suicide) {
    held.ask(true, "/suicide");
  } else {
    CHECK(cluster.verb({"recycle", std::to_string(slot)}).code == 0);
  }
  (void)told_first(cluster, suicide ? "suicide" : "drain", {{"pid", old}});
  const auto drains_at = Clock::now();
  ::poll(nullptr, 0, static_cast<int>(milliseconds(kLoad).count()));
  const LoadReport report = load.stop();
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(report.lost() == 0);
  for (const Outcome& one : report.outcomes) {
    const bool late = one.worker == old && one.at - one.took > drains_at + kSettled;
    CHECK_FALSE(late);
  }
  if (!suicide) {
    CHECK(alive(old));
    held.ask();
    CHECK(pid_in(held.read_to_end(20s).body) == old);
  }
  REQUIRE(replaced(cluster, old, 3));
  CHECK(successors(cluster, old) == 1);
}

}  // namespace

TEST_CASE("D6: a suicide's replacement is forked within 50 ms, while the old one finishes") {
  auto quickest = milliseconds::max();
  for (int round = 0; round < 3 && quickest > 50ms; ++round) {
    Cluster cluster(fixtures(4));
    Client held(cluster.port());
    const pid_t old = holder(cluster);
    ask_worker(cluster, old, "/suicide?reason=out+of+memory");
    const Told suicide = told_first(cluster, "suicide", {{"pid", old}});
    CHECK(suicide.at("reason") == "out of memory");
    REQUIRE(replaced(cluster, old, 4));

    const Told fork = told_first(cluster, "fork", {{"worker", 5}});
    CHECK(fork.at("slot") == suicide.at("slot"));
    quickest = std::min(quickest, time_of(fork) - time_of(suicide));
    CHECK(alive(old));
    CHECK(fewest_ready(cluster) == 3);
    held.ask();
    const Reply reply = held.read_to_end(20s);
    CHECK(reply.ok());
    CHECK(pid_in(reply.body) == old);
    // It had nothing else to wait for. Who leaves of its own accord exits with 1.
    CHECK(told_first(cluster, "exit", {{"pid", old}}).at("code") == 1);
    CHECK(successors(cluster, old) == 1);
    CHECK(cluster.running(4));
  }
  CHECK(quickest <= (kSanitized ? 500ms : 50ms));
}

TEST_CASE("D6: a suicide that is followed by a crash is replaced exactly once") {
  for (const char* end : {"exit", "abort", "kill -9"}) {
    CAPTURE(end);
    Cluster cluster(fixtures(2));
    Client held(cluster.port());
    const pid_t old = holder(cluster);
    ask_worker(cluster, old, "/suicide");
    if (end[0] == 'k') {
      REQUIRE(replaced(cluster, old, 2));
      ::kill(old, SIGKILL);
    } else {  // at once, perhaps before the other is ready
      held.ask(true, std::string("/") + end + "?code=3&quiet=1");
    }
    (void)told_first(cluster, "exit", {{"pid", old}});
    REQUIRE(replaced(cluster, old, 2));
    CHECK(successors(cluster, old) == 1);
    CHECK(told(cluster, "suicide").size() == 1);
    CHECK(told(cluster, "exit").size() == 1);
    CHECK(fewest_ready(cluster) >= 1);
  }
}

TEST_CASE("D6: a worker without connections leaves at once, and an exception is a suicide") {
  const auto leaves = [](const char* path, const char* reason) {
    Cluster cluster(fixtures(2));
    const pid_t old = cluster.workers().front();
    ask_worker(cluster, old, path);
    const Told suicide = told_first(cluster, "suicide", {{"pid", old}});
    CHECK(suicide.at("reason") == reason);
    const Told exit = told_first(cluster, "exit", {{"pid", old}});
    CHECK(time_of(exit) - time_of(suicide) < 20s);  // drain_timeout is 60 s
    CHECK(exit.at("code") == 1);
    REQUIRE(replaced(cluster, old, 2));
    CHECK(successors(cluster, old) == 1);
    CHECK(fewest_ready(cluster) == 1);
    return cluster.log();
  };
  (void)leaves("/suicide?reason=tired", "tired");
  const std::string log = leaves("/throw?what=bad+luck", "bad luck");
  CHECK(log.find("clusterd: an exception escaped a handler: bad luck\n") != std::string::npos);
}

TEST_CASE("D6: {act:suicide} on the channel, from a program without our library") {
  ClusterOptions options = fixtures(2, "drain_timeout = \"300ms\"\nkill_timeout = \"10s\"\n");
  const TempDir dir;
  options.command = {"/bin/sh", dir.write("worker",
                                          R"(echo '{"cmd":"CLUSTERD","act":"hello","version":1}' >&3
read welcome <&3
echo '{"cmd":"CLUSTERD","act":"ready"}' >&3
if [ "$CLUSTERD_WORKER_ID" = 1 ]; then
  read event <&3
  echo '{"act":"suicide"}' >&3
fi
exec sleep 1000
)")};
  options.wait_until_running = false;
  Cluster cluster(options);
  const Told suicide = told_first(cluster, "suicide", {{"worker", 1}});
  const Told fork = told_first(cluster, "fork", {{"worker", 3}});
  CHECK(fork.at("slot") == 0);
  // It does not leave by itself.
  const Told exit = told_first(cluster, "exit", {{"worker", 1}});
  CHECK(exit.at("signal") == "TERM");
  CHECK(time_of(exit) - time_of(suicide) >= 290ms);
  REQUIRE(eventually([&] { return cluster.running(2); }, 30s));
  CHECK(told(cluster, "fork", {{"role", "worker"}}).size() == 3);
}

TEST_CASE("D7: a worker that drains gets no new connection") {
  for (const char* policy : {"round-robin", "least-connections", "accept-race"}) {
    CAPTURE(policy);
    check_draining_gets_nothing(policy, true);
    check_draining_gets_nothing(policy, false);
  }
}

TEST_CASE(
    "D8: drain_timeout, then TERM, then KILL, and the status says what is waited for until when") {
  Cluster cluster(
      fixtures(2, "drain_timeout = \"3s\"\nkill_timeout = \"4s\"\n", "round-robin", "ignore-term"));
  Client held(cluster.port());
  const pid_t old = holder(cluster);
  const auto held_by = status_of(cluster, old).value();
  const std::string name = "worker " + std::to_string(held_by.at("id").as_int64());
  const std::string slot = std::to_string(held_by.at("slot").as_int64());
  const std::string where = " (slot " + slot + ")";
  CHECK(cluster.verb({"recycle", slot}).code == 0);
  const Told drain = told_first(cluster, "drain", {{"pid", old}});

  std::optional<boost::json::object> shown;
  const auto shows = [&](const char* step) {
    return eventually(
        [&] {
          shown = status_of(cluster, old);
          return !shown ||
                 (shown->at("drain").is_object() && shown->at("drain").at("step") == step);
        },
        20s);
  };
  REQUIRE(shows("connections"));
  REQUIRE(shown);
  CHECK(shown->at("state") == "draining");
  CHECK(shown->at("drain").at("connections") == 1);
  CHECK(shown->at("drain").at("deadline_s").to_number<double>() <= 3.0);
  const std::string text = cluster.verb({"status"}).out;
  CAPTURE(text);
  CHECK(text.find(name + where + " waits for 1 connection; TERM in ") != std::string::npos);
  REQUIRE(shows("exit"));
  REQUIRE(shown);
  CHECK(shown->at("drain").at("deadline_s").to_number<double>() <= 4.0);
  CHECK(cluster.verb({"status"}).out.find(name + where + " is to end; KILL in ") !=
        std::string::npos);

  const Told exit = told_first(cluster, "exit", {{"pid", old}});
  CHECK(exit.at("signal") == "KILL");
  CHECK(time_of(exit) - time_of(drain) >= 6990ms);
  CHECK(time_of(exit) - time_of(drain) < 7s + kNoise);
  CHECK(cluster.running(2));
}

TEST_CASE("fault 5: an endless loop that ignores TERM is killed on time, at a reload and a stop") {
  const std::string keys =
      "drain_timeout = \"300ms\"\nkill_timeout = \"500ms\"\nheartbeat_timeout = \"0\"\n"
      "stall_timeout = \"200ms\"\n";
  auto quickest = milliseconds::max();
  constexpr milliseconds kAtOnce = kSanitized ? 1000ms : 400ms;
  for (int round = 0; round < 3 && quickest > kAtOnce; ++round) {
    Cluster cluster(fixtures(2, keys));
    const pid_t old = cluster.workers().front();
    ask_idle(cluster, old, "/hang?spin=1");
    // It has no handler for TERM, so it is TERM that ends it: the kernel needs no loop.
    CHECK(cluster.verb({"restart"}).code == 0);
    const Told drain = told_first(cluster, "drain", {{"pid", old}});
    const Told exit = told_first(cluster, "exit", {{"pid", old}});
    CHECK(exit.at("signal") == "TERM");
    CHECK(time_of(exit) - time_of(drain) >= 290ms);
    quickest = std::min(quickest, time_of(exit) - time_of(drain));
  }
  CHECK(quickest <= kAtOnce);

  quickest = milliseconds::max();
  for (int round = 0; round < 3 && quickest > 900ms; ++round) {
    Cluster cluster(fixtures(2, keys, "round-robin", "ignore-term"));
    const pid_t old = cluster.workers().front();
    ask_idle(cluster, old, "/hang?spin=1");
    CHECK(cluster.verb({"restart"}).code == 0);
    const Told drain = told_first(cluster, "drain", {{"pid", old}});
    const Told exit = told_first(cluster, "exit", {{"pid", old}});
    CHECK(exit.at("signal") == "KILL");
    CHECK(time_of(exit) - time_of(drain) >= 790ms);
    quickest = std::min(quickest, time_of(exit) - time_of(drain));
    // The others ignore TERM too, though their loops turn: the stop takes no longer.
    const auto begin = Clock::now();
    cluster.master().signal(SIGTERM);
    CHECK(cluster.master().wait(20s) == 0);
    CHECK(Clock::now() - begin < 1300ms + kNoise);
  }
  CHECK(quickest <= (kSanitized ? 2000ms : 900ms));
}

TEST_CASE("fault 25: workers out of descriptors do not spin, and serve again when there are some") {
  Cluster cluster(fixtures(2, kLong, "accept-race", "events"));
  std::vector<Client> clients;
  const auto cpu = [&] {
    long ticks = 0;
    for (const pid_t pid : cluster.workers()) {
      const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
      std::istringstream rest(stat.substr(stat.rfind(')') + 1));
      std::string skipped;
      for (int field = 3; field < 14; ++field) rest >> skipped;
      long user = 0;
      long system = 0;
      rest >> user >> system;
      ticks += user + system;
    }
    return ticks;
  };
  for (const pid_t pid : cluster.workers()) {
    const rlimit few{30, 30};
    REQUIRE(::prlimit(pid, RLIMIT_NOFILE, &few, nullptr) == 0);
  }
  for (int at = 0; at < 80; ++at) clients.emplace_back(cluster.port());
  ::poll(nullptr, 0, 500);
  const long before = cpu();
  ::poll(nullptr, 0, 2000);
  const long used = cpu() - before;
  CAPTURE(used);
  CHECK(used * 1000 / ::sysconf(_SC_CLK_TCK) < 200);  // ms of the 4,000 that two could use
  int answered = 0;
  for (Client& client : clients) {
    client.ask();
  }
  for (Client& client : clients) answered += client.read_to_end(20s).ok() ? 1 : 0;
  CHECK(answered == 80);
}
