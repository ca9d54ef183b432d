// Everything at once, at random, under an open load: what a worker that was killed had in its hands
// may be lost, and nothing else; and at the end all is as it was at the start.
//   CLUSTERD_CHAOS_SECONDS  how long, over both policies (default 10)
//   CLUSTERD_CHAOS_SEED     which of the chaoses; the output tells the seed of each
#include "tests/support/chaos.h"

#include "tests/support/eventually.h"
#include "tests/support/load.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <random>
#include <string>

using namespace clusterd::test;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using Kind = Outcome::Kind;

namespace {

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;
constexpr double kRate = kSanitized ? 100 : 1000;
constexpr auto kPatience = kSanitized ? 30s : 10s;
/// "At most 1 MiB more", in a build without sanitizers, which keep what was freed.
constexpr std::int64_t kMostGrowthKib = kSanitized ? 1'000'000 : 1024;
/// As many as the master keeps: from then on it needs no more memory for them.
constexpr std::ptrdiff_t kKeptEvents = 1000;

unsigned long number_from(const char* name, unsigned long otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoul(text, nullptr, 10);
}

std::uint32_t seed() {
  static const auto chosen =
      static_cast<std::uint32_t>(number_from("CLUSTERD_CHAOS_SEED", std::random_device{}()));
  return chosen;
}

milliseconds each_takes() {
  return milliseconds(1000 * number_from("CLUSTERD_CHAOS_SECONDS", 10) / 2);
}

/// The master's events are full, and the allocator has seen what there is to see.
void warm_up(Cluster& cluster) {
  const auto full = [&] {
    for (const pid_t pid : cluster.workers()) ::kill(pid, SIGKILL);
    const std::string events = cluster.verb({"events"}).out;
    return std::count(events.begin(), events.end(), '\n') >= kKeptEvents;
  };
  REQUIRE(eventually(full, 60s));
}

bool whole(const Cluster& cluster) { return cluster.running(Chaos::kWorkers); }

/// The master, its agent and its workers, and nothing that has outlived them.
bool nobody_else(Cluster& cluster) {
  return session_of(cluster.master().pid()).size() == 2 + Chaos::kWorkers;
}

std::string last_of(const std::string& log) {
  return log.substr(log.size() - std::min<std::size_t>(log.size(), 4096));
}

void check_chaos(const std::string& policy) {
  MESSAGE("CLUSTERD_CHAOS_SEED=" << seed());
  const TempDir dir;
  Cluster cluster(Chaos::options(policy, dir));
  const pid_t master = cluster.master().pid();
  const std::size_t fds = cluster.fds();
  if (!kSanitized) {
    Load warm(cluster.port(), {.rate = kRate, .patience = kPatience});
    warm_up(cluster);
  }
  REQUIRE(eventually([&] { return whole(cluster) && count_fds(master) == fds; }, 20s));
  const std::int64_t before = resident_kib(master);

  Chaos chaos(cluster, dir, seed());
  Load load(cluster.port(), {.rate = kRate, .patience = kPatience});
  chaos.run(each_takes());
  chaos.settle();
  CHECK(eventually([&] { return whole(cluster); }, kSanitized ? 20s : 5s));
  const LoadReport report = load.stop();
  MESSAGE(policy << ": " << chaos.text() << "; " << report.text() << "; may lose "
                 << chaos.may_lose());
  if (!cluster.master().running()) MESSAGE(last_of(cluster.log()));
  CHECK(chaos.complaints() == "");
  CHECK(report.sound());
  CHECK(report.count(Kind::refused) == 0);
  CHECK(report.lost() <= chaos.may_lose());
  CHECK(report.done() > 0);

  CHECK(eventually([&] { return nobody_else(cluster); }, 20s));
  CHECK(eventually([&] { return count_fds(master) == fds; }, 20s));
  const std::int64_t grown = resident_kib(master) - before;
  MESSAGE(policy << ": the master has " << grown << " KiB more than " << before);
  CHECK(grown <= kMostGrowthKib);
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(cluster.log().find("AddressSanitizer") == std::string::npos);
  CHECK(cluster.log().find("runtime error") == std::string::npos);
}

}  // namespace

TEST_CASE("chaos in round-robin costs what killed workers held, and leaves nothing behind") {
  check_chaos("round-robin");
}

TEST_CASE("chaos in accept race costs what killed workers held, and leaves nothing behind") {
  check_chaos("accept-race");
}
