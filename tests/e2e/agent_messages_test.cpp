// D25: an agent that is killed again and again under messages loses none without a word.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/node.h"
#include "tests/support/temp_dir.h"

#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <csignal>
#include <map>
#include <set>
#include <sstream>
#include <string>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

constexpr int kScale = CLUSTERD_TEST_SCALE;
/// Messages have to be handled again so soon after an agent is ready; under the sanitizers that
/// says nothing.
constexpr auto kSoon = kScale >= 100 ? 1s : 20s;

/// The numbers that agents have handled, by sender.
struct Handled {
  std::map<pid_t, std::set<long>> by_sender;

  explicit Handled(const TempDir& dir) {
    std::istringstream lines(read_file(dir.path("agent")));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string what;
      pid_t agent = 0;
      pid_t sender = 0;
      long number = 0;
      words >> what;
      if (what != "tick" || !(words >> agent >> sender >> number)) continue;
      by_sender[sender].insert(number);
    }
  }
};

/// What a worker has sent, once it is halted, and how many it was told were missed.
struct Told {
  long sent = -1;
  long missed = 0;

  Told(const TempDir& dir, pid_t worker) {
    std::istringstream lines(read_file(dir.path("worker-" + std::to_string(worker))));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string what;
      long number = 0;
      words >> what >> number;
      if (what == "sent") sent = number;
      if (what == "missed") missed += number;
    }
  }
};

pid_t ready_agent(const Cluster& cluster) {
  const auto now = cluster.status();
  if (!now || now->at("agent_program").is_null()) return 0;
  const auto& program = now->at("agent_program");
  return program.at("state") == "ready" ? static_cast<pid_t>(program.at("pid").as_int64()) : 0;
}

/// `agent` is its table in app.conf; it writes down what it handles, in dir's file "agent".
void check_nothing_unaccounted(const TempDir& dir, const std::string& agent) {
  const int kills = kScale >= 100 ? 50 : 10;
  Cluster cluster(
      {.command = {fixture_agent(), dir.path()},
       .more = "[agent]\n" + agent +
               "[restart]\nlimit = 1000\nbackoff = { first = \"5ms\", max = \"20ms\" }\n"});
  const auto workers = cluster.workers();
  REQUIRE(workers.size() == 2);
  for (int kill = 0; kill < kills; ++kill) {
    const pid_t before = ready_agent(cluster);
    REQUIRE(before > 0);
    // It has to be at work when it dies, and so does the next one.
    const std::string its_ticks = "tick " + std::to_string(before) + " ";
    const auto handles = [&] {
      return read_file(dir.path("agent")).find(its_ticks) != std::string::npos;
    };
    CHECK(eventually(handles, kSoon));
    ::kill(before, SIGKILL);
    const auto next = [&] {
      const pid_t now = ready_agent(cluster);
      return now != 0 && now != before;
    };
    REQUIRE(eventually(next, 20s));
  }
  dir.write("halt", "");
  long all = 0;
  long missed = 0;
  for (const pid_t worker : workers) {
    CHECK(eventually([&] { return Told(dir, worker).sent >= 0; }, 20s));
    const auto unaccounted = [&] {
      const Told told(dir, worker);
      Handled handled(dir);
      return told.sent - static_cast<long>(handled.by_sender[worker].size()) - told.missed;
    };
    CHECK(eventually([&] { return unaccounted() <= 0; }, 20s));
    const Told told(dir, worker);
    all += told.sent;
    missed += told.missed;
    // What an agent had handled when it died and had not said yet is told of too: no more than it
    // reads at once.
    CHECK(-unaccounted() <= kills * 400L);
  }
  MESSAGE(kills, " kills, ", all, " messages, ", missed, " told as missed");
  CHECK(cluster.workers() == workers);
}

}  // namespace

TEST_CASE("of what is sent to an agent that is killed all the time, all is handled or told (D25)") {
  const TempDir dir;
  check_nothing_unaccounted(dir,
                            "command = [\"" + fixture_agent() + "\", \"" + dir.path() + "\"]\n");
}

TEST_CASE("and so it is with an agent in Python (D25)") {
  const TempDir dir;
  check_nothing_unaccounted(dir, "command = [\"python3\", \"-B\", \"" + node_app("ticks.py") +
                                     "\", \"" + example("python") + "\", \"" + dir.path("agent") +
                                     "\"]\nprotocol = \"node-fork\"\n");
}
