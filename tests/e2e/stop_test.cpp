// A stop under load: who has connected is answered, who has not is refused, and nobody is reset.
// The kernel resets what is in a listener's queue when it is closed, so the master keeps new
// clients out of the queue (Listener::refuse_new), empties it, and only then closes the listener.
#include "tests/support/cluster.h"
#include "tests/support/load.h"

#include <doctest/doctest.h>

#include <chrono>
#include <poll.h>
#include <string>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using Kind = Outcome::Kind;

namespace {

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;
constexpr int kTimes = kSanitized ? 1 : 3;
/// A client whose first SYN was dropped sends the next a second later, and is refused then.
constexpr auto kPatience = kSanitized ? 30s : 5s;

/// Lets a load run.
void run_for(milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

void check_stop(const std::string& policy) {
  Cluster cluster({.workers = 2, .policy = policy, .command = {fixture_worker()}});
  Load load(cluster.port(), {.patience = kPatience});
  run_for(500ms);
  CHECK(cluster.verb({"stop"}).code == 0);
  run_for(500ms);
  const LoadReport report = load.stop();
  CAPTURE(report.text());
  CHECK(report.sound());
  CHECK(report.done() > 64);
  CHECK(report.count(Kind::refused) > 0);
  CHECK(report.count(Kind::reset) == 0);
  CHECK(report.count(Kind::unanswered) == 0);
}

}  // namespace

TEST_CASE("a stop under load resets nobody") {
  const std::vector<std::string> policies{"round-robin", "least-connections", "sticky",
                                          "accept-race"};
  for (const std::string& policy : policies) {
    CAPTURE(policy);
    for (int time = 0; time < kTimes; ++time) check_stop(policy);
  }
}
