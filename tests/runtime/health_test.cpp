// Who is told to be hung or due, of processes that are real and workers that are played here.
#include "master/runtime/health.h"

#include "master/os/child_process.h"
#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <map>
#include <optional>
#include <string>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using test::eventually;

constexpr Duration kTimeout = 400ms;
constexpr ChildId kWorker{Role::worker, 1};
constexpr ChildId kOther{Role::worker, 2};

/// A process that does nothing.
struct Sleeper {
  Sleeper() {
    os::SpawnSpec spec{"/bin/sleep", {"sleep", "1000"}, {}, "/", STDERR_FILENO, {}};
    ::getrlimit(RLIMIT_NOFILE, &spec.open_files);
    auto spawned = os::spawn(spec);
    REQUIRE(spawned.has_value());
    child.emplace(std::move(*spawned));
  }

  [[nodiscard]] pid_t pid() const { return child->pid(); }

  std::optional<os::ChildProcess> child;
};

struct Bench {
  void watch(ChildId child, Health::Terms terms) {
    terms.pid = sleeper.pid();
    if (terms.birth == TimePoint{}) terms.birth = Clock::now();
    health.watch(child, terms);
  }

  void turn() {
    do io.restart();
    while (io.poll() > 0);
  }
  bool comes(auto&& fact) {
    return eventually(
        [&] {
          turn();
          return fact();
        },
        20s);
  }
  /// The loop runs for so long.
  void run(Duration span) {
    const TimePoint end = Clock::now() + span;
    CHECK(comes([&] { return Clock::now() >= end; }));
  }

  Sleeper sleeper;
  std::map<ChildId, Health::Sample> samples;
  std::map<ChildId, int> pings;
  bool answers = true;
  std::vector<std::pair<std::string, std::string>> hung;
  std::vector<std::string> traced;
  std::vector<std::string> recycled;
  boost::asio::io_context io;
  Health health{
      io,
      7,
      {.sample = [this](ChildId child) { return samples[child]; },
       .ping =
           [this](ChildId child) {
             ++pings[child];
             if (answers) ++samples[child].turns;
           },
       .hung = [this](ChildId, std::string evidence,
                      std::string why) { hung.emplace_back(std::move(evidence), std::move(why)); },
       .traced = [this](ChildId, std::string why) { traced.push_back(std::move(why)); },
       .recycle = [this](ChildId, std::string why) { recycled.push_back(std::move(why)); }}};
};

Health::Terms beating() { return {.counts_turns = true, .heartbeat_timeout = kTimeout}; }

}  // namespace

TEST_CASE("an idle worker is asked every now and then, and lives") {
  Bench bench;
  bench.watch(kWorker, beating());
  CHECK(bench.comes([&] { return bench.pings[kWorker] >= 6; }));
  CHECK(bench.hung.empty());
}

TEST_CASE("a worker whose loop does not turn is told to be hung, once, with evidence") {
  Bench bench;
  bench.answers = false;
  bench.samples[kWorker] = {.requests = 512, .active = 3, .took_at = Clock::now() - 31s};
  const TimePoint begin = Clock::now();
  bench.watch(kWorker, beating());
  CHECK(bench.comes([&] { return !bench.hung.empty(); }));
  CHECK(Clock::now() - begin >= kTimeout);
  const auto& [evidence, why] = bench.hung.front();
  CHECK(why == "its loop has not turned for 400 ms");
  CHECK(evidence.find("state sleeping") != std::string::npos);
  CHECK(evidence.find("open connections 3, requests answered 512, last took a connection 3") !=
        std::string::npos);
  CHECK(bench.pings[kWorker] == 1);
  bench.run(2 * kTimeout);
  CHECK(bench.hung.size() == 1);
}

TEST_CASE("a worker that was stopped is told to be") {
  Bench bench;
  bench.answers = false;
  ::kill(bench.sleeper.pid(), SIGSTOP);
  bench.watch(kWorker, beating());
  CHECK(bench.comes([&] { return !bench.hung.empty(); }));
  CHECK(bench.hung.front().second ==
        "it is stopped (SIGSTOP), and its loop has not turned for 400 ms");
}

TEST_CASE("a worker that a debugger holds is told of once, and left alone as long as it does") {
  Bench bench;
  bench.answers = false;
  if (::ptrace(PTRACE_SEIZE, bench.sleeper.pid(), 0, 0) != 0) {
    MESSAGE("not tested: ptrace is not allowed here");
    return;
  }
  bench.watch(kWorker, beating());
  CHECK(bench.comes([&] { return !bench.traced.empty(); }));
  CHECK(bench.traced.front().starts_with("its loop has not turned for 400 ms, but process "));
  bench.run(3 * kTimeout);
  CHECK(bench.traced.size() == 1);
  CHECK(bench.hung.empty());
  ::ptrace(PTRACE_INTERRUPT, bench.sleeper.pid(), 0, 0);
  CHECK(eventually([&] { return ::waitpid(bench.sleeper.pid(), nullptr, WNOHANG | __WALL) > 0; },
                   10s));
  ::ptrace(PTRACE_DETACH, bench.sleeper.pid(), 0, 0);
  CHECK(bench.comes([&] { return !bench.hung.empty(); }));
}

TEST_CASE("D21: a master that was stopped takes nobody for hung") {
  Bench bench;
  bench.watch(kWorker, beating());
  bench.watch(kOther, beating());
  for (int stop = 0; stop < 3; ++stop) {
    bench.run(kTimeout / 2);
    bench.answers = false;  // nobody could: their answers come after this
    CHECK_FALSE(eventually([] { return false; }, 800ms));
    bench.turn();
    CHECK(bench.hung.empty());
    bench.answers = true;
    for (auto& [child, sample] : bench.samples) ++sample.turns;
  }
  bench.run(2 * kTimeout);
  CHECK(bench.hung.empty());
}

TEST_CASE("without a timeout, or without turns to count, nobody is asked or hung") {
  Bench bench;
  bench.answers = false;
  bench.watch(kWorker, {.counts_turns = true});
  bench.watch(kOther, {.heartbeat_timeout = 100ms});
  bench.health.said_watchdog(kWorker);
  bench.run(600ms);
  CHECK(bench.pings.empty());
  CHECK(bench.hung.empty());
}

TEST_CASE("one that said WATCHDOG=1 has to go on, and one that says trigger is hung at once") {
  Bench bench;
  bench.watch(kWorker, {.heartbeat_timeout = kTimeout});
  SUBCASE("it stops saying so") {
    bench.health.said_watchdog(kWorker);
    for (int time = 0; time < 8; ++time) {
      bench.run(kTimeout / 4);
      bench.health.said_watchdog(kWorker);
    }
    CHECK(bench.hung.empty());
    CHECK(bench.comes([&] { return !bench.hung.empty(); }));
    CHECK(bench.hung.front().second == "it has not said WATCHDOG=1 for 400 ms");
    CHECK(bench.pings.empty());
  }
  SUBCASE("trigger") {
    bench.health.said_trigger(kOther);
    CHECK(bench.hung.empty());
    bench.health.said_trigger(kWorker);
    REQUIRE(bench.hung.size() == 1);
    CHECK(bench.hung.front().second == "it said WATCHDOG=trigger");
  }
}

TEST_CASE("one that is not watched any more is not asked, hung or due") {
  Bench bench;
  bench.answers = false;
  Health::Terms terms = beating();
  terms.recycle.lifetime = 1ms;
  bench.watch(kWorker, terms);
  bench.health.unwatch(kWorker);
  bench.health.unwatch(kOther);
  bench.run(2 * kTimeout);
  CHECK(bench.pings.empty());
  CHECK(bench.hung.empty());
  CHECK(bench.recycled.empty());
}

TEST_CASE("one that has reached a limit is told to be due, and not every second") {
  Bench bench;
  Health::Terms terms;
  std::string expected;
  SUBCASE("requests") {
    terms.recycle = {.requests = 100, .jitter = 0.5};
    bench.samples[kWorker].requests = 150;
    expected = "it has answered 150 requests (recycle.requests 100)";
  }
  SUBCASE("lifetime") {
    terms.recycle.lifetime = 1h;
    terms.birth = Clock::now() - 3h;
    expected = "it is 3.0 h old (recycle.lifetime 60 min)";
  }
  SUBCASE("memory") {
    terms.recycle.memory = 1;
    expected = "it uses ";
  }
  bench.watch(kWorker, terms);
  bench.watch(kOther, {.recycle = {.requests = 100}});
  CHECK(bench.comes([&] { return !bench.recycled.empty(); }));
  CHECK(bench.recycled.front().starts_with(expected));
  bench.run(1200ms);
  CHECK(bench.recycled.size() == 1);
}

}  // namespace clusterd::runtime
