// What the master tells of itself to the programs of [hooks].
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <sys/stat.h>
#include <unistd.h>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// A script that can be run, in the cluster's folder-to-be.
std::string script(const TempDir& dir, const std::string& name, const std::string& text) {
  std::string path = dir.write(name, "#!/bin/sh\n" + text + "\n");
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
  return path;
}

bool log_says(const Cluster& cluster, const std::string& text) {
  return eventually([&] { return cluster.log().find(text) != std::string::npos; }, 20s);
}

}  // namespace

TEST_CASE("a start that fails is told as a stop that nobody planned") {
  const TempDir dir;
  const std::string hook = script(dir, "hook", "cat > " + dir.path("told"));
  Cluster cluster({.workers = 1,
                   .command = {"/bin/false"},
                   .more = "[hooks]\nstop = [\"" + hook + "\"]\n",
                   .wait_until_running = false});
  CHECK(cluster.master().wait(20s) == 75);
  // The master waited for the hook.
  const boost::json::object stop = boost::json::parse(read_file(dir.path("told"))).as_object();
  CHECK(stop.at("event") == "stop");
  CHECK(stop.at("planned") == false);
}

TEST_CASE("a hook runs for each event of its name, and the last one before the master is gone") {
  const TempDir dir;
  const std::string hook =
      script(dir, "hook",
             "cat >> " + dir.path("seen") + "; echo $CLUSTERD_EVENT of $CLUSTERD_NAME: \"$1\"");
  Cluster cluster({.workers = 2,
                   .more = "[hooks]\nexit = [\"" + hook + "\", \"$HOME *\"]\nagent_exit = [\"" +
                           hook + "\"]\n"});
  const pid_t dead = cluster.workers().at(1);
  ::kill(dead, SIGKILL);
  REQUIRE(eventually([&] { return read_file(dir.path("seen")).ends_with("\n"); }, 20s));
  const boost::json::object exit = boost::json::parse(read_file(dir.path("seen"))).as_object();
  CHECK(exit.at("event") == "exit");
  CHECK(exit.at("pid") == dead);
  REQUIRE(eventually([&] { return cluster.running(2); }, 20s));
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(cluster.log().find("cut off") == std::string::npos);
  const std::string seen = read_file(dir.path("seen"));
  CHECK(std::count(seen.begin(), seen.end(), '\n') == 4);
  CHECK(seen.find("\"agent_exit\"") != std::string::npos);
  const std::string out = read_file(cluster.dir().path("out"));
  CHECK(out.find("exit of test: $HOME *\n") != std::string::npos);
}

TEST_CASE("a hook that fails, and one whose program is gone, are in the log and harm nothing") {
  const TempDir dir;
  const std::string fails = script(dir, "fails", "exit 1");
  const std::string gone = script(dir, "gone", "exit 0");
  Cluster cluster(
      {.workers = 1, .more = "[hooks]\nexit = [\"" + fails + "\"]\nfork = [\"" + gone + "\"]\n"});
  const pid_t worker = cluster.workers().at(0);
  REQUIRE(::unlink(gone.c_str()) == 0);
  ::kill(worker, SIGKILL);
  CHECK(log_says(cluster, "hook exit exited with code 1"));
  CHECK(log_says(cluster, "hook fork not started: exec: No such file or directory"));
  script(dir, "gone", "exit 0");  // without it app.conf has a mistake, and the status is not asked
  REQUIRE(eventually([&] { return cluster.running(1); }, 20s));
  CHECK(get(cluster.port()).ok());
}

TEST_CASE("a hook that does not end is killed, and the cluster is served meanwhile") {
  const TempDir dir;
  const std::string hook = script(
      dir, "hook", "trap '' TERM\nsleep 1000 &\necho $! > " + dir.path("pid") + "\nwait\nwait");
  Cluster cluster({.workers = 1, .more = "[hooks]\nexit = [\"" + hook + "\"]\n"});
  ::kill(cluster.workers().at(0), SIGKILL);
  REQUIRE(eventually([&] { return read_file(dir.path("pid")).ends_with("\n"); }, 20s));
  const pid_t sleeper = std::stoi(read_file(dir.path("pid")));
  REQUIRE(eventually([&] { return cluster.running(1); }, 20s));
  CHECK(get(cluster.port()).ok());
  CHECK(log_says(cluster, "hook exit: killed, since it ran for 10 s"));
  CHECK(eventually([&] { return !alive(sleeper); }, 10s));
  CHECK(cluster.running(1));
}
