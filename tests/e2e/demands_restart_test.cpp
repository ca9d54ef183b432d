// What becomes of a cluster whose workers die, and go on dying: D17 to D19 of our list, and the
// faults 9, 11 and 23. The mood of the workers to come is in a file (fixture_mood.h), so that their
// fault comes and goes without a word to the master.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <poll.h>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

using boost::json::object;
using Clock = std::chrono::steady_clock;

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;

/// Workers that are well until they are told otherwise.
class Moody {
 public:
  explicit Moody(unsigned workers, const std::string& more, const std::string& restart)
      : cluster({.workers = workers,
                 .command = {fixture_worker()},
                 .worker_keys = "env = { FIXTURE_MOOD_FILE = \"" + dir_.path("mood") + "\" }\n",
                 .more = "[restart]\n" + restart + more}) {}

  /// Of those who start from now on; "" is a good one. In one step, as nobody may read half of it.
  void mood(const std::string& line) {
    dir_.write("mood.new", line + "\n");
    REQUIRE(::rename(dir_.path("mood.new").c_str(), dir_.path("mood").c_str()) == 0);
  }

  [[nodiscard]] const TempDir& dir() const { return dir_; }

 private:
  TempDir dir_;

 public:
  Cluster cluster;
};

std::vector<object> events(const Cluster& cluster, const std::string& name) {
  std::vector<object> found;
  std::istringstream lines(cluster.verb({"events"}).out);
  for (std::string line; std::getline(lines, line);) {
    const object event = boost::json::parse(line).as_object();
    if (event.contains("event") && event.at("event").as_string() == name) found.push_back(event);
  }
  return found;
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t times = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++times;
  return times;
}

bool log_says(const Cluster& cluster, const std::string& text, milliseconds deadline = 20s) {
  return eventually([&] { return cluster.log().find(text) != std::string::npos; }, deadline);
}

/// User and system time that a process has had.
milliseconds cpu_time(pid_t pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream rest(stat.substr(stat.rfind(')') + 2));
  std::string word;
  for (int field = 3; field < 14; ++field) rest >> word;
  long user = 0;
  long system = 0;
  rest >> user >> system;
  return milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
}

/// Children that have ended and that nobody has waited for.
std::size_t zombies(pid_t master) {
  const std::string pid = std::to_string(master);
  std::istringstream children(read_file("/proc/" + pid + "/task/" + pid + "/children"));
  std::size_t found = 0;
  for (pid_t child = 0; children >> child;) found += alive(child) ? 0U : 1U;
  return found;
}

/// A variable for the programs that are started meanwhile.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { ::unsetenv(name_); }

 private:
  const char* name_;
};

bool has_given_up(const Cluster& cluster) {
  const auto now = cluster.status();
  return now && now->at("restarts").at("given_up") == true;
}

void kill_slot(const Cluster& cluster, std::size_t slot) {
  const auto workers = cluster.workers();
  REQUIRE(workers.size() > slot);
  ::kill(workers[slot], SIGKILL);
}

std::string script(const TempDir& dir, const std::string& name, const std::string& text) {
  std::string path = dir.write(name, "#!/bin/sh\n" + text + "\n");
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
  return path;
}

constexpr const char* kQuick = "backoff = { first = \"10ms\", max = \"40ms\" }\n";

}  // namespace

TEST_CASE("D17: workers that die over and over, at whatever age, are restarted less and less") {
  // At 0, 0.2 and 1 s. The first restart is at once, then after 100, 200, 400, 800 ms and so on:
  // the bound is what fits into the time if each dies at once.
  for (const char* life : {"FIXTURE_DIE_AT_START=1", "FIXTURE_DIE_AFTER_MS=0",
                           "FIXTURE_DIE_AFTER_MS=200", "FIXTURE_DIE_AFTER_MS=1000"}) {
    CAPTURE(life);
    Moody moody(1, "", "limit = 1000\n");
    moody.mood(life);
    const pid_t master = moody.cluster.master().pid();
    const milliseconds cpu = cpu_time(master);
    kill_slot(moody.cluster, 0);
    const auto begin = Clock::now();
    REQUIRE_FALSE(eventually([&] { return !moody.cluster.master().running(); }, 3s));
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    const auto forks = events(moody.cluster, "fork").size() - 2;  // agent, first worker
    CHECK(forks >= 2);
    // Deaths come no closer than 0, 100, 200, 400 ms...: the n-th fork after 100 * (2^(n-2)) - 100.
    std::size_t most = 2;
    for (double at = 0.1, delay = 0.1; at <= seconds; at += delay) {
      ++most;
      delay = std::min(delay * 2, 10.0);
    }
    CHECK(forks <= most);
    if (!kSanitized) CHECK(cpu_time(master) - cpu < 400ms);
    CHECK(count(moody.cluster.log(), "\n") < 200);
    // Every death counts, those after a while too.
    const auto deaths = events(moody.cluster, "exit").size();
    const auto status = moody.cluster.status();
    REQUIRE(status);
    CHECK(status->at("restarts").at("in_window").to_number<std::size_t>() >= deaths);
    moody.mood("");
    CHECK(eventually([&] { return moody.cluster.running(1); }, 30s));
  }
}

TEST_CASE("D18: the tenth death in the window is a give-up, told with its cause to all who ask") {
  const TempDir dir;
  const std::string hook = script(dir, "hook", "cat >> " + dir.path("told"));
  Moody moody(2, "[hooks]\ngiveup = [\"" + hook + "\"]\nrecover = [\"" + hook + "\"]\n",
              std::string(kQuick) + "limit = 10\ngiveup_retry = \"3s\"\n");
  const pid_t healthy = moody.cluster.workers().at(0);
  moody.mood("FIXTURE_DIE_AT_START=7");
  kill_slot(moody.cluster, 1);
  REQUIRE(eventually([&] { return has_given_up(moody.cluster); }, 20s));

  CHECK(events(moody.cluster, "exit").size() >= 10);
  const auto told = events(moody.cluster, "giveup");
  REQUIRE(told.size() == 1);
  CHECK(told[0].at("slot") == 1);
  CHECK(told[0].at("code") == 7);
  CHECK(told[0].at("reason").as_string().find("exited with code 7") != std::string::npos);
  CHECK(told[0].at("stderr").as_string().find("dies at its start, with 7") != std::string::npos);
  // Of the deaths before it there are ten.
  std::size_t before = 0;
  for (const object& exit : events(moody.cluster, "exit")) {
    if (exit.at("seq").as_int64() < told[0].at("seq").as_int64()) ++before;
  }
  CHECK(before == 10);
  CHECK(log_says(moody.cluster, "giving up on slot 1: too many deaths, the last of worker"));
  CHECK(
      eventually([&] { return read_file(dir.path("told")).find('\n') != std::string::npos; }, 20s));
  const std::string line = read_file(dir.path("told"));
  CHECK(boost::json::parse(line.substr(0, line.find('\n'))).at("event").as_string() == "giveup");

  const auto status = moody.cluster.status();
  REQUIRE(status);
  CHECK(status->at("state") == "degraded");
  CHECK(status->at("slots").at(0).at("state") == "running");
  const auto& last = status->at("slots").at(1).at("last_exit");
  CHECK(last.at("code") == 7);
  CHECK(last.at("stderr").as_string().find("dies at its start, with 7") != std::string::npos);
  const std::string table = moody.cluster.verb({"status"}).out;
  CAPTURE(table);
  CHECK(table.find("degraded") != std::string::npos);
  CHECK(table.find("code 7") != std::string::npos);
  CHECK(table.find("dies at its start, with 7") != std::string::npos);

  // Who is well goes on, and a probe that dies changes nothing.
  CHECK(get(moody.cluster.port()).ok());
  const std::size_t forks = events(moody.cluster, "fork").size();
  REQUIRE(eventually([&] { return events(moody.cluster, "fork").size() == forks + 1; }, 10s));
  CHECK(eventually([&] { return has_given_up(moody.cluster); }, 5s));
  CHECK(events(moody.cluster, "giveup").size() == 1);
  CHECK(moody.cluster.workers().at(0) == healthy);

  moody.mood("");
  const auto mended = Clock::now();
  CHECK(eventually([&] { return moody.cluster.running(2); }, 30s));
  if (!kSanitized) CHECK(Clock::now() - mended < 3s + 1s);
  CHECK_FALSE(has_given_up(moody.cluster));
  CHECK(events(moody.cluster, "recover").size() == 1);
  CHECK(moody.cluster.workers().at(0) == healthy);
  CHECK(eventually(
      [&] { return read_file(dir.path("told")).find("\"recover\"") != std::string::npos; }, 20s));
}

TEST_CASE("D18: with on_giveup = exit the master ends with 75 and says why") {
  Moody moody(2, "", std::string(kQuick) + "limit = 3\non_giveup = \"exit\"\n");
  const auto children = children_of(moody.cluster.master().pid());
  moody.mood("FIXTURE_DIE_AT_START=7");
  kill_slot(moody.cluster, 1);
  CHECK(moody.cluster.master().wait(30s) == 75);
  const std::string log = moody.cluster.log();
  CAPTURE(log);
  CHECK(log.find("gave up: 3 deaths, the last of worker") != std::string::npos);
  CHECK(log.find("exited with code 7", log.find("gave up:")) != std::string::npos);
  CHECK(std::none_of(children.begin(), children.end(), alive));
}

TEST_CASE("D19: after 1,000 kills, before ready, in drain and in a reload too, n are ready") {
  constexpr unsigned kWorkers = 4;
  constexpr int kKills = kSanitized ? 40 : 1000;
  // The limit is far: what is counted here is who comes back.
  Moody moody(kWorkers, "[reload]\nsettle = \"50ms\"\n", std::string(kQuick) + "limit = 10000\n");
  const pid_t master = moody.cluster.master().pid();
  const std::size_t fds = moody.cluster.fds();
  moody.mood("FIXTURE_READY_AFTER_MS=20");
  std::mt19937 random(19);
  std::unique_ptr<Program> reload;
  int reloads = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    if (kill % 10 == 5 && (!reload || !reload->running())) {
      reload = std::make_unique<Program>(
          std::vector<std::string>{clusterd_program(), "reload", moody.cluster.conf()},
          moody.dir().path("reload.out"), moody.dir().path("reload.err"));
      ++reloads;
    }
    ::poll(nullptr, 0, static_cast<int>(random() % 60));
    const pid_t agent = moody.cluster.agent();
    auto children = children_of(master);
    std::erase(children, agent);
    if (!children.empty()) ::kill(children[random() % children.size()], SIGKILL);
  }
  const auto last = Clock::now();
  CHECK(eventually([&] { return moody.cluster.running(kWorkers); }, 30s));
  if (!kSanitized) CHECK(Clock::now() - last < 5s);
  REQUIRE(eventually([&] { return !reload || !reload->running(); }, 30s));
  CHECK(reloads > 0);
  // Who has died is no child, whatever the master knows by now.
  const auto whole = [&] {
    return children_of(master).size() == kWorkers + 1 && moody.cluster.running(kWorkers);
  };
  CHECK(eventually(whole, 20s));
  CHECK(zombies(master) == 0);
  CHECK(eventually([&] { return count_fds(master) == fds; }, 10s));
  for (int i = 0; i < 8; ++i) CHECK(get(moody.cluster.port()).ok());
}

TEST_CASE("fault 9: many that end in one moment are all reaped, each told once with its code") {
  constexpr unsigned kMany = kSanitized ? 20 : 100;
  Moody moody(kMany, "", "limit = 10000\n");
  const pid_t master = moody.cluster.master().pid();
  const auto before = moody.cluster.workers();
  REQUIRE(before.size() == kMany);
  // A process group cannot hold them all, and the master is stopped so that it sees all ends at
  // once.
  ::kill(master, SIGSTOP);
  for (const pid_t pid : before) ::kill(pid, SIGKILL);
  REQUIRE(eventually([&] { return zombies(master) == kMany; }, 20s));
  ::kill(master, SIGCONT);
  CHECK(eventually([&] { return moody.cluster.replaced(before, kMany); }, 60s));
  CHECK(zombies(master) == 0);
  std::multiset<pid_t> ended;
  for (const object& exit : events(moody.cluster, "exit")) {
    CHECK(exit.at("signal") == "KILL");
    ended.insert(static_cast<pid_t>(exit.at("pid").as_int64()));
  }
  CHECK(ended == std::multiset<pid_t>(before.begin(), before.end()));
  CHECK(count(moody.cluster.log(), "killed by signal 9 (KILL)") == kMany);
}

TEST_CASE("fault 11: workers that die at birth are forked fewer than 20 times in 5 s") {
  Moody moody(2, "", "");
  moody.mood("FIXTURE_DIE_AT_START=1");
  const pid_t master = moody.cluster.master().pid();
  const milliseconds cpu = cpu_time(master);
  for (const pid_t pid : moody.cluster.workers()) ::kill(pid, SIGKILL);
  REQUIRE_FALSE(eventually([&] { return !moody.cluster.master().running(); }, 5s));
  const auto forks = events(moody.cluster, "fork").size() - 3;  // the agent and the first two
  CHECK(forks >= 4);
  CHECK(forks < 20);
  if (!kSanitized) CHECK(cpu_time(master) - cpu < 500ms);
  CHECK(eventually([&] { return has_given_up(moody.cluster); }, 20s));
}

TEST_CASE("fault 23: where fork fails for a while the master lives, and n are ready soon after") {
  const TempDir dir;
  std::unique_ptr<Moody> moody;
  {
    const Variable preload("LD_PRELOAD", CLUSTERD_TEST_FORK_FAILS);
    const Variable order("ASAN_OPTIONS", "verify_asan_link_order=0");
    const Variable path("FORK_FAILS_WHILE", dir.path("full"));
    moody = std::make_unique<Moody>(2, "", "");
  }
  const Cluster& cluster = moody->cluster;
  const pid_t master = moody->cluster.master().pid();
  const milliseconds cpu = cpu_time(master);
  dir.write("full", "");
  for (const pid_t pid : cluster.workers()) ::kill(pid, SIGKILL);
  // Long enough that the delays would have grown beyond a second, and deaths to a give-up.
  REQUIRE_FALSE(eventually([&] { return !moody->cluster.master().running(); }, 7s));
  CHECK(cluster.workers().empty());
  CHECK_FALSE(has_given_up(cluster));
  const std::size_t tries = count(cluster.log(), "not started: fork: Resource temporarily");
  CHECK(tries >= 10);
  CHECK(tries < 40);
  if (!kSanitized) CHECK(cpu_time(master) - cpu < 500ms);
  REQUIRE(::unlink(dir.path("full").c_str()) == 0);
  const auto free_again = Clock::now();
  CHECK(eventually([&] { return cluster.running(2); }, 30s));
  if (!kSanitized) CHECK(Clock::now() - free_again < 2s);
  CHECK(get(moody->cluster.port()).ok());
}
