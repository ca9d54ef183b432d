// What a reload reads: mistakes are told and change nothing; what is right is in force at once.
#include "common/unique_fd.h"
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/load.h"

#include <boost/json/array.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <csignal>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

ClusterOptions quick(const std::string& worker_keys = "", const std::string& more = "") {
  return {.workers = 2,
          .command = {fixture_worker()},
          .worker_keys = worker_keys,
          .more = "[reload]\nsettle = \"0\"\n" + more};
}

std::int64_t generation(const Cluster& cluster) {
  const auto now = cluster.status();
  return now ? now->at("generation").as_int64() : 0;
}

bool is_in(const std::string& what, const std::string& text) {
  return text.find(what) != std::string::npos;
}

/// Writes the file anew with `change` made to its text.
void edit(const Cluster& cluster, const std::string& what, const std::string& by) {
  std::string conf = read_file(cluster.conf());
  REQUIRE(is_in(what, conf));
  cluster.dir().write("app.conf", conf.replace(conf.find(what), what.size(), by));
}

/// A variable of a worker's environment.
std::string variable(pid_t pid, const std::string& name) {
  const std::string all = '\0' + read_file("/proc/" + std::to_string(pid) + "/environ");
  const std::size_t at = all.find('\0' + name + '=');
  if (at == std::string::npos) return "-";
  const std::size_t value = at + name.size() + 2;
  return all.substr(value, all.find('\0', value) - value);
}

std::string first_variable(const Cluster& cluster, const std::string& name) {
  return variable(cluster.workers().at(0), name);
}

}  // namespace

TEST_CASE("fault 29: a file with mistakes changes nothing, and each is told with its line") {
  Cluster cluster(quick());
  const std::string good = read_file(cluster.conf());
  const auto workers = cluster.workers();
  Load load(cluster.port(), {.rate = CLUSTERD_TEST_SCALE < 100 ? 100.0 : 2000.0, .patience = 30s});
  struct Case {
    std::string text;
    std::string says;
  };
  const std::vector<Case> cases = {
      {"workers = \n" + good, "app.conf:1"},
      {good + "[worker]\ndrain_timeuot = \"1s\"\n", "app.conf:"},
      {"nonsense = 1\n" + good, "app.conf:1: "},
      {"user = \"nobdy\"\n" + good, "app.conf:1: user: there is no user \"nobdy\""},
      {good.substr(0, 20) + std::string(3, '\0') + good.substr(20), "app.conf:"},
      {good + "# " + std::string(1'100'000, 'x') + "\n", "app.conf"},
      {"", "app.conf"},
      {"workers = 0" + good.substr(good.find("\n[[listen]]")), "app.conf:1"},
  };
  for (const Case& wrong : cases) {
    CAPTURE(wrong.text.substr(0, 60));
    cluster.dir().write("app.conf", wrong.text);
    // By the file the client finds them, to begin with; by the socket it is the master.
    for (const std::vector<std::string>& by :
         {std::vector<std::string>{cluster.conf()}, {"--socket", cluster.control()}}) {
      for (const std::string how : {"reload", "--dry-run"}) {
        std::vector<std::string> argv{clusterd_program(), "reload"};
        if (how != "reload") argv.push_back(how);
        argv.insert(argv.end(), by.begin(), by.end());
        const Finished reload = run(argv);
        CHECK(reload.code == 78);
        CHECK_MESSAGE(is_in(wrong.says, reload.err), reload.err);
      }
    }
  }
  // A port that is somebody else's, which only the master can find out.
  const clusterd::UniqueFd taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof there;
  REQUIRE(::bind(taken.get(), reinterpret_cast<const sockaddr*>(&there), length) == 0);
  REQUIRE(::listen(taken.get(), 1) == 0);
  ::getsockname(taken.get(), reinterpret_cast<sockaddr*>(&there), &length);
  const std::string port = std::to_string(ntohs(there.sin_port));
  cluster.dir().write("app.conf", good + "[[listen]]\naddress = \"127.0.0.1:" + port + "\"\n");
  const Finished in_use = cluster.verb({"reload"});
  CHECK(in_use.code == 71);
  CHECK_MESSAGE(is_in(port + ": Address already in use", in_use.err), in_use.err);
  cluster.dir().write("app.conf", good);
  // One that is not there says so too.
  CHECK(::rename(cluster.conf().c_str(), cluster.dir().path("away").c_str()) == 0);
  cluster.master().signal(SIGHUP);
  CHECK(eventually([&] { return is_in("not reloaded: ", cluster.log()); }, 10s));
  CHECK(eventually([&] { return is_in("No such file", cluster.log()); }, 10s));
  cluster.dir().write("app.conf", good);
  CHECK(generation(cluster) == 1);
  CHECK(cluster.workers() == workers);
  const LoadReport report = load.stop();
  CHECK_MESSAGE(report.sound(), report.text());
  CHECK_MESSAGE(report.lost() == 0, report.text());
  CHECK(cluster.verb({"reload"}).code == 0);
}

TEST_CASE("D13: a dry run says what would change, and changes nothing") {
  Cluster cluster(quick());
  const auto workers = cluster.workers();
  Finished reload = cluster.verb({"reload", "--dry-run"});
  CHECK(reload.code == 0);
  CHECK(is_in("nothing would change", reload.out));
  edit(cluster, "workers = 2", "workers = 3");
  reload = cluster.verb({"reload", "--dry-run"});
  CHECK(reload.code == 0);
  CHECK(is_in("workers: 2 -> 3", reload.out));
  CHECK(generation(cluster) == 1);
  CHECK(cluster.workers() == workers);
  reload = cluster.verb({"reload"});
  CHECK(reload.code == 0);
  CHECK(is_in("workers: 2 -> 3", reload.out));
  CHECK(cluster.running(3));
}

TEST_CASE("a restart does not read the file, and brings new workers") {
  Cluster cluster(quick());
  const auto before = cluster.workers();
  edit(cluster, "workers = 2", "workers = nonsense");
  CHECK(cluster.verb({"reload"}).code == 78);
  // The file cannot say any more where the master is.
  const Finished restart = run({clusterd_program(), "restart", "--socket", cluster.control()});
  CHECK_MESSAGE(restart.code == 0, restart.err);
  edit(cluster, "workers = nonsense", "workers = 2");
  const auto now = cluster.workers();
  REQUIRE(now.size() == 2);
  CHECK(now[0] != before[0]);
  CHECK(now[1] != before[1]);
}

TEST_CASE("the environment's file is read again by a reload, and not by a restart") {
  const TempDir dir;
  const std::string file = dir.write("env", "COLOUR=red\n");
  Cluster cluster(quick("env_file = \"" + file + "\"\n"));
  CHECK(first_variable(cluster, "COLOUR") == "red");
  dir.write("env", "COLOUR=blue\n");
  CHECK(cluster.verb({"restart"}).code == 0);
  CHECK(first_variable(cluster, "COLOUR") == "red");
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK(first_variable(cluster, "COLOUR") == "blue");
}

TEST_CASE("log.level and hooks are in force when the reload is done") {
  const TempDir dir;
  const std::string told = dir.path("told");
  Cluster cluster(quick());
  edit(cluster, "level = \"debug\"",
       "level = \"error\"\n[hooks]\nready = [\"/bin/sh\", \"-c\", \"cat >> " + told + "\"]");
  const Finished reload = cluster.verb({"reload"});
  CHECK_MESSAGE(reload.code == 0, reload.err);
  CHECK(is_in("log.level: debug -> error", reload.out));
  const std::string log = cluster.log();
  CHECK(cluster.verb({"restart"}).code == 0);
  CHECK(cluster.log() == log);
  CHECK(eventually([&] { return is_in("\"generation\":3", read_file(told)); }, 20s));
}

TEST_CASE("--set of the start holds over reloads") {
  Cluster file(quick());
  const TempDir dir;
  dir.write("app.conf", read_file(file.conf()));
  const Program master({clusterd_program(), "start", "--set", "workers=3", dir.path("app.conf")},
                       dir.path("out"), dir.path("err"));
  REQUIRE(eventually([&] { return is_in("running:", read_file(dir.path("err"))); }, 30s));
  CHECK(children_of(master.pid()).size() == 4);
  const Finished reload = run({clusterd_program(), "reload", dir.path("app.conf")});
  CHECK_MESSAGE(reload.code == 0, reload.err);
  CHECK(is_in("3 workers", reload.out));
}

TEST_CASE("fault 30: rolling reloads between one worker and eight lose nothing and leak nothing") {
  for (const std::string policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    ClusterOptions options = quick();
    options.policy = policy;
    options.workers = 1;
    Cluster cluster(options);
    const pid_t master = cluster.master().pid();
    const auto settled = [&] { return children_of(master).size() == 2; };
    REQUIRE(settled());
    const std::size_t fds = cluster.fds();
    Load load(cluster.port(),
              {.rate = CLUSTERD_TEST_SCALE < 100 ? 100.0 : 2000.0, .patience = 30s});
    const int rounds = CLUSTERD_TEST_SCALE < 100 ? 3 : 20;
    for (int round = 0; round < rounds; ++round) {
      edit(cluster, "workers = 1", "workers = 8");
      CHECK(cluster.verb({"reload"}).code == 0);
      CHECK(cluster.running(8));
      edit(cluster, "workers = 8", "workers = 1");
      CHECK(cluster.verb({"reload"}).code == 0);
    }
    const LoadReport report = load.stop();
    CHECK_MESSAGE(report.sound(), report.text());
    CHECK_MESSAGE(report.lost() == 0, report.text());
    CHECK(eventually(settled, 30s));
    CAPTURE(fds);
    CHECK_MESSAGE(eventually([&] { return count_fds(master) == fds; }, 10s), count_fds(master));
  }
}

TEST_CASE("D8: a held connection in each does not let old generations pile up") {
  Cluster cluster(quick("drain_timeout = \"60s\"\n"));
  std::vector<std::unique_ptr<Client>> held;
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 2; ++i) held.push_back(std::make_unique<Client>(cluster.port()));
    // Both workers hold one.
    CHECK(eventually(
        [&] {
          const Counts counts = cluster.counts().value();
          const auto ready = cluster.workers();
          return std::count_if(counts.workers.begin(), counts.workers.end(), [&](const auto& one) {
                   return one.active > 0 && std::count(ready.begin(), ready.end(), one.pid) > 0;
                 }) == 2;
        },
        20s));
    const Finished reload = cluster.verb({"reload"});
    CHECK_MESSAGE(reload.code == 0, reload.err);
    // Three generations of two workers, and the agent.
    CHECK(eventually([&] { return children_of(cluster.master().pid()).size() <= 7; }, 30s));
  }
  CHECK(children_of(cluster.master().pid()).size() >= 5);
  CHECK(cluster.verb({"stop", "--now"}).code == 0);
}

TEST_CASE(
    "D12: a reload before the cluster is ready waits for that, and one at the stop is refused") {
  ClusterOptions slow = quick();
  slow.command = {"/bin/sh", "-c", "until [ -e go ]; do sleep 0.1; done; exec " + fixture_worker()};
  slow.wait_until_running = false;
  Cluster cluster(slow);
  REQUIRE(eventually([&] { return cluster.status().has_value(); }, 30s));
  Program reload({clusterd_program(), "reload", cluster.conf()}, cluster.dir().path("said"),
                 cluster.dir().path("said"));
  const auto waits = [&] {
    return is_in("the reload waits: the cluster is starting", cluster.log());
  };
  CHECK(eventually(waits, 20s));
  cluster.dir().write("go", "");
  CHECK(reload.wait(30s) == 0);
  CHECK(generation(cluster) == 2);

  const Client held(cluster.port());
  cluster.master().signal(SIGTERM);
  CHECK(eventually([&] { return is_in("stopping", cluster.log()); }, 10s));
  const Finished late = cluster.verb({"reload"});
  CHECK(late.code != 0);
}

TEST_CASE("D12: a reload mends a cluster whose workers back off, and one that has given up") {
  for (const bool given_up : {false, true}) {
    CAPTURE(given_up);
    ClusterOptions options =
        quick("env = { FIXTURE_MOOD_FILE = \"mood\" }\n",
              std::string("[restart]\nbackoff = { first = \"60s\", max = \"60s\" }\n") +
                  (given_up ? "limit = 3\ngiveup_retry = \"60s\"\n" : ""));
    Cluster cluster(options);
    cluster.dir().write("mood", "FIXTURE_DIE_AT_START=4\n");
    for (const pid_t pid : cluster.workers()) ::kill(pid, SIGKILL);
    CHECK(eventually([&] { return cluster.workers().empty(); }, 20s));
    if (given_up) {
      CHECK(eventually([&] { return cluster.status()->at("restarts").at("given_up").as_bool(); },
                       20s));
    }
    CHECK(cluster.verb({"reload"}).code == 75);
    cluster.dir().write("mood", "");
    const Finished reload = cluster.verb({"reload"});
    CHECK_MESSAGE(reload.code == 0, reload.err);
    CHECK(cluster.running(2));
    CHECK(get(cluster.port()).ok());
  }
}
