// clusterd start --daemon: who calls it knows how the start went when it returns.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// app.conf in a folder of its own, for a daemon that ends with the test.
class Background {
 public:
  explicit Background(const std::string& worker_keys = "", const std::string& more = "",
                      const std::string& command = "\"" + http_worker() + "\"") {
    dir_.write("app.conf",
               "name = \"shop\"\nworkers = 2\n[[listen]]\nname = \"http\"\n"
               "address = \"127.0.0.1:0\"\n[worker]\ncommand = [" +
                   command + "]\n" + worker_keys + "\n[control]\nsocket = \"ctl.sock\"\n" + more);
  }
  ~Background() {
    if (const pid_t pid = master(); pid != 0) {
      (void)run({clusterd_program(), "stop", "--now", conf()});
    }
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  [[nodiscard]] std::string conf() const { return dir_.path("app.conf"); }
  [[nodiscard]] const TempDir& dir() const { return dir_; }
  [[nodiscard]] Finished start(std::vector<std::string> words = {}) const {
    words.insert(words.begin(), {clusterd_program(), "start", "--daemon"});
    words.push_back(conf());
    return run(words);
  }
  [[nodiscard]] boost::json::value status() const {
    const Finished asked = run({clusterd_program(), "status", "--json", conf()});
    return asked.code == 0 ? boost::json::parse(asked.out) : boost::json::value();
  }
  /// 0 if there is none.
  [[nodiscard]] pid_t master() const {
    const auto now = status();
    return now.is_object() ? static_cast<pid_t>(now.at("master").at("pid").as_int64()) : 0;
  }

 private:
  TempDir dir_;
};

/// The fields of /proc/PID/stat after the name: state, ppid, pgrp, session, tty.
std::vector<long> numbers_of(pid_t pid) {
  const std::string text = read_file("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream rest(text.substr(text.rfind(')') + 3));
  std::vector<long> numbers;
  for (long number = 0; rest >> number;) numbers.push_back(number);
  return numbers;
}

std::string fd_of(pid_t pid, int fd) {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd),
                                       ignored)
      .string();
}

}  // namespace

TEST_CASE("start --daemon returns when all workers are ready, and what it leaves is a daemon") {
  const Background background;
  const Finished started = background.start();
  REQUIRE_MESSAGE(started.code == 0, started.err);
  const auto status = background.status();
  CHECK(status.at("state") == "running");
  CHECK(status.at("accepting_ready") == true);
  const pid_t pid = background.master();
  CHECK(started.out == "shop runs in the background, pid " + std::to_string(pid) + "\n");
  const auto numbers = numbers_of(pid);
  CHECK(numbers.at(2) != pid);  // no leader of its session: a terminal cannot become its own
  CHECK(numbers.at(2) != ::getsid(0));
  CHECK(numbers.at(3) == 0);
  CHECK(std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/cwd") == "/");
  for (const int fd : {0, 1, 2}) CHECK(fd_of(pid, fd) == "/dev/null");
  CHECK(run({clusterd_program(), "stop", background.conf()}).code == 0);
  CHECK(eventually([&] { return !alive(pid); }, 10s));
}

TEST_CASE("a daemon holds nothing of who has started it") {
  const Background background;
  // An open file of a script, its lock say, and its working directory.
  const std::string script = "cd " + background.dir().path() + " && exec 7>lock && exec '" +
                             clusterd_program() + "' start --daemon app.conf";
  REQUIRE(run({"/bin/sh", "-c", script}).code == 0);
  const pid_t pid = background.master();
  REQUIRE(pid != 0);
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    std::error_code gone;
    CHECK(std::filesystem::read_symlink(entry, gone) != background.dir().path("lock"));
  }
}

TEST_CASE("start --daemon fails as a start in the foreground would: mistakes, ports, workers") {
  SUBCASE("a mistake in the file") {
    const Background background("drain_timout = \"1s\"");
    const Finished started = background.start();
    CHECK(started.code == 78);
    CHECK(started.err == run({clusterd_program(), "check", background.conf()}).err);
    CHECK(started.err.find("drain_timeout") != std::string::npos);
  }
  SUBCASE("a port that is taken") {
    Cluster other;
    const Background background;
    const Finished started = background.start(
        {"--set", "listen.http.address=127.0.0.1:" + std::to_string(other.port())});
    CHECK(started.code == 71);
    CHECK(started.err.find("Address already in use") != std::string::npos);
  }
  SUBCASE("a worker that dies") {
    const Background background("", "",
                                R"("/bin/sh", "-c", "echo cannot open key.pem >&2; exit 3")");
    const Finished started = background.start();
    CHECK(started.code == 75);
    CHECK(started.out.empty());
    CHECK(started.err.find("cannot open key.pem") != std::string::npos);
    CHECK(started.err.find("clusterd: could not start: worker") != std::string::npos);
    CHECK(started.err.find("exited with code 3") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(background.dir().path("ctl.sock")));
  }
}

TEST_CASE("a second start --daemon is refused with the pid of the first") {
  const Background background;
  REQUIRE(background.start().code == 0);
  const Finished second = background.start();
  CHECK(second.code == 71);
  CHECK(second.err.find("another master is running") != std::string::npos);
  CHECK(second.err.find("(pid " + std::to_string(background.master()) + ")") != std::string::npos);
}

TEST_CASE("Ctrl-C while start --daemon waits ends what was started") {
  const Background background("", "", R"("/bin/sleep", "1000")");
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    CAPTURE(signal);
    const std::string said = background.dir().path("said");
    Program starter({clusterd_program(), "start", "--daemon", background.conf()}, said, said);
    pid_t master = 0;
    const auto has_worker = [&] {
      master = background.master();
      return master != 0 && children_of(master).size() == 3;  // the agent and two workers
    };
    REQUIRE(eventually(has_worker, 20s));
    const auto children = children_of(master);
    starter.signal(signal);
    CHECK(starter.wait(20s) == 128 + signal);
    CHECK(read_file(said).find("interrupted; stopping what was started") != std::string::npos);
    CHECK_FALSE(alive(master));
    for (const pid_t child : children) CHECK(eventually([&] { return !alive(child); }, 5s));
  }
}

TEST_CASE("a daemon that is killed before it is ready is no success") {
  const Background background("", "", R"("/bin/sleep", "1000")");
  const std::string said = background.dir().path("said");
  Program starter({clusterd_program(), "start", "--daemon", background.conf()}, said, said);
  pid_t master = 0;
  REQUIRE(eventually([&] { return (master = background.master()) != 0; }, 20s));
  ::kill(master, SIGKILL);
  CHECK(starter.wait(20s) == 137);
  CHECK(read_file(said).find("signal 9 has ended it") != std::string::npos);
}

TEST_CASE("a daemon outlives its starter's session and terminal, and does not take that for HUP") {
  const Background background("", "[log]\nfile = \"log\"\n");
  // script(1) has a terminal, which is gone with it: who is still of its session gets HUP.
  if (::access("/usr/bin/script", X_OK) != 0) {
    MESSAGE("no script(1): skipped");
    return;
  }
  const std::string command = clusterd_program() + " start --daemon " + background.conf();
  const Finished ended = run({"/usr/bin/script", "-qec", command, "/dev/null"});
  REQUIRE_MESSAGE(ended.code == 0, ended.out);
  const pid_t pid = background.master();
  REQUIRE(pid != 0);
  CHECK_FALSE(eventually([&] { return !alive(pid); }, 300ms));
  CHECK(background.status().at("generation") == 1);
  CHECK(read_file(background.dir().path("log")).find("HUP") == std::string::npos);
  ::kill(pid, SIGHUP);  // one that is meant still is an order
  CHECK(eventually([&] { return background.status().at("generation") == 2; }, 20s));
}

TEST_CASE("log.file has the log of a daemon and what its workers print") {
  const Background background("", "[log]\nfile = \"log\"\n");
  REQUIRE(background.start().code == 0);
  const std::string log = read_file(background.dir().path("log"));
  CHECK(log.find("running: everything ready") != std::string::npos);
  const pid_t pid = background.master();
  for (const int fd : {1, 2}) CHECK(fd_of(pid, fd) == background.dir().path("log"));
  CHECK(run({clusterd_program(), "stop", background.conf()}).code == 0);
  CHECK(read_file(background.dir().path("log")).find("stopped") != std::string::npos);
}

TEST_CASE("a start that fails tells who called it, though the log has a file") {
  const Background background("", "[log]\nfile = \"log\"\n",
                              R"("/bin/sh", "-c", "echo cannot open key.pem >&2; exit 3")");
  for (const std::string how : {"start", "start --daemon"}) {
    CAPTURE(how);
    const Finished started = run(
        {"/bin/sh", "-c", "exec '" + clusterd_program() + "' " + how + " " + background.conf()});
    CHECK(started.code == 75);
    CHECK(started.err.find("cannot open key.pem") != std::string::npos);
    CHECK(started.err.find("clusterd: could not start") != std::string::npos);
  }
  CHECK(read_file(background.dir().path("log")).find("could not start") != std::string::npos);
}
