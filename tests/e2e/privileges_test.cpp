// Faults 39 to 41 of the list of what a supervisor has to bear: who the children are, what they are
// left with, and what they can make the master say.
#include "common/unique_fd.h"
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/told.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <pty.h>
#include <set>
#include <signal.h>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

constexpr uid_t kSomebody = 4321;
constexpr const char* kNone = "0000000000000000";
/// NET_BIND_SERVICE, SETUID, SETGID and KILL; and NET_ADMIN, where the kernel wants it of who
/// filters what comes to a listener.
bool is_masters(const std::string& capabilities) {
  return capabilities == "00000000000004e0" || capabilities == "00000000000014e0";
}

bool is_root() {
  if (::geteuid() == 0) return true;
  MESSAGE("not run: it needs root");
  return false;
}

std::string proc(pid_t pid, const std::string& file) {
  return read_file("/proc/" + std::to_string(pid) + "/" + file);
}

/// A line of /proc/PID/status after its name, with blanks between what it lists.
std::string status_of(pid_t pid, const std::string& name) {
  std::istringstream lines(proc(pid, "status"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name + ":")) continue;
    std::istringstream words(line.substr(name.size() + 1));
    std::string all;
    for (std::string word; words >> word;) all += (all.empty() ? "" : " ") + word;
    return all;
  }
  return "missing";
}

std::string limit_of(pid_t pid, const std::string& name) {
  std::istringstream lines(proc(pid, "limits"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    std::istringstream words(line.substr(name.size()));
    std::string soft;
    std::string hard;
    words >> soft >> hard;
    return soft + " " + hard;
  }
  return "missing";
}

std::vector<pid_t> children(const Cluster& cluster) {
  std::vector<pid_t> all = cluster.workers();
  all.push_back(cluster.agent());
  return all;
}

void check_powerless(pid_t pid) {
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    CAPTURE(set);
    CHECK(status_of(pid, set) == kNone);
  }
}

/// What is open, as the kernel names it, without numbers that are different each time.
std::multiset<std::string> open_files(pid_t pid) {
  std::multiset<std::string> files;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", ignored)) {
    const std::string link = std::filesystem::read_symlink(entry.path(), ignored).string();
    files.insert(entry.path().filename().string() + " " + link.substr(0, link.find(":[")));
  }
  return files;
}

std::set<std::string> variables(pid_t pid) {
  const std::string text = proc(pid, "environ");
  std::set<std::string> names;
  for (std::size_t at = 0; at < text.size(); at = text.find('\0', at) + 1) {
    names.insert(text.substr(at, text.find('=', at) - at));
  }
  return names;
}

}  // namespace

TEST_CASE("fault 40: a worker of a root master is exactly who it is to be, and so is the agent") {
  if (!is_root()) return;
  ::setenv("SUDO_USER", "admin", 1);
  ::setenv("KEPT", "1", 1);
  Cluster cluster({.workers = 2,
                   .command = {fixture_worker(), "events"},
                   .worker_keys = "umask = \"0027\"\nnproc = 3000\nmemlock = \"64KiB\"\n"
                                  "core = 0\nnofile = 300\nnice = 3\naffinity = [0]\n",
                   .top = "user = \"nobody\"\ngroup = \"daemon\"\n"});
  ::unsetenv("SUDO_USER");
  ::unsetenv("KEPT");
  const pid_t master = cluster.master().pid();
  CHECK(status_of(master, "Uid") == "0 0 0 0");
  for (const char* set : {"CapPrm", "CapEff", "CapBnd"}) CHECK(is_masters(status_of(master, set)));
  for (const pid_t pid : children(cluster)) {
    CHECK(status_of(pid, "Uid") == "65534 65534 65534 65534");
    CHECK(status_of(pid, "Gid") == "1 1 1 1");
    CHECK(status_of(pid, "Groups") == "1 65534");
    CHECK(status_of(pid, "NoNewPrivs") == "1");
    CHECK(is_masters(status_of(pid, "CapBnd")));
    check_powerless(pid);
    const auto names = variables(pid);
    CHECK(names.contains("KEPT"));
    CHECK_FALSE(names.contains("SUDO_USER"));
    CHECK(proc(pid, "environ").find(std::string("USER=nobody\0", 12)) != std::string::npos);
  }
  for (const pid_t pid : cluster.workers()) {
    CHECK(status_of(pid, "Umask") == "0027");
    CHECK(status_of(pid, "Cpus_allowed_list") == "0");
    CHECK(limit_of(pid, "Max processes") == "3000 3000");
    CHECK(limit_of(pid, "Max locked memory") == "65536 65536");
    CHECK(limit_of(pid, "Max core file size") == "0 0");
    CHECK(limit_of(pid, "Max open files") == "300 300");
    CHECK(::getpriority(PRIO_PROCESS, static_cast<id_t>(pid)) == 3);
  }
  // And the master can still do to them what it has to do.
  REQUIRE(get(cluster.port()).ok());
  const auto before = cluster.workers();
  CHECK(cluster.verb({"kill", "0"}).code == 0);
  CHECK(eventually([&] { return cluster.running(2) && cluster.workers() != before; }, 20s));
  CHECK(cluster.verb({"reload"}).code == 0);
  const auto after = cluster.workers();
  CHECK(cluster.verb({"stop"}).code == 0);
  for (const pid_t pid : after) CHECK_FALSE(alive(pid));
}

TEST_CASE("fault 40: the agent program is who [agent] says, and its master can still end it") {
  if (!is_root()) return;
  const TempDir dir;
  REQUIRE(::chmod(dir.path().c_str(), 0777) == 0);
  Cluster cluster({.workers = 1,
                   .command = {fixture_worker(), "events"},
                   .more = "[reload]\nsettle = \"1ms\"\n[agent]\ncommand = [\"" + fixture_agent() +
                           "\", \"" + dir.path() + "\"]\nuser = \"daemon\"\n",
                   .top = "user = \"nobody\"\n"});
  const auto program = [&] {
    const auto now = cluster.status();
    return now ? static_cast<pid_t>(now->at("agent_program").at("pid").as_int64()) : 0;
  };
  const pid_t pid = program();
  CHECK(status_of(pid, "Uid") == "1 1 1 1");
  CHECK(status_of(pid, "Gid") == "1 1 1 1");
  // Its own group may be in its list as well, or not.
  CHECK(std::set<std::string>{"", "1"}.contains(status_of(pid, "Groups")));
  CHECK(status_of(pid, "NoNewPrivs") == "1");
  CHECK(is_masters(status_of(pid, "CapBnd")));
  check_powerless(pid);
  CHECK(proc(pid, "environ").find(std::string("USER=daemon\0", 12)) != std::string::npos);
  for (const pid_t other : children(cluster)) {
    CHECK(status_of(other, "Uid") == "65534 65534 65534 65534");
  }
  cluster.dir().write("app.conf", read_file(cluster.conf()) + "[agent.env]\nNEW = \"1\"\n");
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK_FALSE(alive(pid));
  const pid_t next = program();
  CHECK(status_of(next, "Uid") == "1 1 1 1");
  CHECK(variables(next).contains("NEW"));
  ::kill(next, SIGSTOP);  // it needs KILL
  CHECK(cluster.verb({"stop", "--now"}).code == 0);
  CHECK_FALSE(alive(next));
}

TEST_CASE("fault 40: a child that is another user has no terminal that it could type into") {
  if (!is_root()) return;
  const TempDir dir;
  REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
  const std::string conf =
      dir.write("app.conf",
                "workers = 2\nuser = \"nobody\"\n[[listen]]\naddress = "
                "\"127.0.0.1:0\"\n[worker]\ncommand = [\"" +
                    fixture_worker() + "\"]\n[control]\nsocket = \"ctl.sock\"\n");
  const std::string program = clusterd_program();
  int terminal = -1;
  const pid_t master = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (master == 0) {
    ::execl(program.c_str(), program.c_str(), "start", conf.c_str(), nullptr);
    ::_exit(127);
  }
  const clusterd::UniqueFd ours(terminal);
  const auto terminal_of = [](pid_t pid) {
    const std::string stat = proc(pid, "stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string state;
    long parent = 0;
    long group = 0;
    long session = 0;
    long number = -1;  // 0: it has none
    fields >> state >> parent >> group >> session >> number;
    return number;
  };
  const auto up = [&] {
    return run({program, "status", conf}).out.find("2 of 2 workers ready") != std::string::npos;
  };
  CHECK(eventually(up, 20s));
  CHECK(terminal_of(master) > 0);
  const auto its = children_of(master);
  CHECK(its.size() == 3);
  for (const pid_t pid : its) CHECK(terminal_of(pid) == 0);
  CHECK(run({program, "stop", "--now", conf}).code == 0);
  int status = -1;
  CHECK(::waitpid(master, &status, 0) == master);
  CHECK(status == 0);
}

TEST_CASE("a root master that is not almighty still reads and writes what it will have to") {
  if (!is_root()) return;
  const TempDir dir;
  REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
  const std::string env = dir.write("env", "FROM_FILE=1\n");
  REQUIRE(::chmod(env.c_str(), 0600) == 0);
  const std::string folder = dir.path("shop");
  REQUIRE(::mkdir(folder.c_str(), 0755) == 0);
  for (const std::string& path : {env, folder}) {
    REQUIRE(::chown(path.c_str(), kSomebody, kSomebody) == 0);
  }
  const std::string log = folder + "/log";
  Cluster cluster({.command = {fixture_worker(), "events"},
                   .worker_keys = "env_file = \"" + env + "\"\n",
                   .log_keys = "file = \"" + log + "\"\n",
                   .top = "user = \"nobody\"\n",
                   .pidfile = folder + "/pid"});
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK(variables(cluster.workers().front()).contains("FROM_FILE"));
  REQUIRE(::rename(log.c_str(), (log + ".1").c_str()) == 0);
  cluster.master().signal(SIGUSR1);
  CHECK(eventually([&] { return ::access(log.c_str(), F_OK) == 0; }, 20s));
  CHECK(::access((folder + "/pid").c_str(), F_OK) == 0);
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(::access((folder + "/pid").c_str(), F_OK) != 0);
}

TEST_CASE("a root master that is not almighty finds the programs of schedules in a closed home") {
  if (!is_root()) return;
  const TempDir dir;
  REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
  const std::string home = dir.path("home");
  REQUIRE(::mkdir(home.c_str(), 0700) == 0);
  const std::string job = dir.write("home/job", "#!/bin/sh\necho done by $(id -u)\n");
  REQUIRE(::chmod(job.c_str(), 0755) == 0);
  for (const std::string& path : {home, job}) {
    REQUIRE(::chown(path.c_str(), kSomebody, kSomebody) == 0);
  }
  Cluster cluster(
      {.workers = 1,
       .command = {fixture_worker(), "events"},
       .more = "[[schedule]]\nname = \"job\"\nevery = \"30d\"\ncommand = [\"" + job + "\"]\n",
       .top = "user = \"4321\"\ngroup = \"4321\"\n"});
  const Finished reload = cluster.verb({"reload"});
  CAPTURE(reload.err);
  CHECK(reload.code == 0);
  CHECK(cluster.verb({"schedule", "run", "job"}).code == 0);
  CHECK(read_file(cluster.dir().path("out")).find("done by 4321") != std::string::npos);
}

TEST_CASE("fault 40: the children of an ordinary user are that user, and of no power at all") {
  if (!is_root()) return;
  std::string top;
  SUBCASE("by default") {}
  SUBCASE("said again") { top = "user = \"4321\"\ngroup = \"4321\"\n"; }
  Cluster cluster({.command = {fixture_worker(), "events"}, .top = top, .as = kSomebody});
  for (const pid_t pid : children(cluster)) {
    CHECK(status_of(pid, "Uid") == "4321 4321 4321 4321");
    CHECK(status_of(pid, "Gid") == "4321 4321 4321 4321");
    CHECK(status_of(pid, "NoNewPrivs") == (top.empty() ? "0" : "1"));
    check_powerless(pid);
  }
  CHECK(get(cluster.port()).ok());
}

TEST_CASE("fault 40: who is not root may run workers as nobody else, and a reload says so") {
  if (!is_root()) return;
  const ClusterOptions options{
      .command = {fixture_worker(), "events"}, .top = "user = \"nobody\"\n", .as = kSomebody};
  {
    ClusterOptions refused = options;
    refused.wait_until_running = false;
    Cluster cluster(refused);
    CHECK(cluster.master().wait(20s) == 71);
    CHECK(cluster.log().find("run workers as nobody: clusterd has to be started as root") !=
          std::string::npos);
  }
  ClusterOptions plain = options;
  plain.top = "# " + options.top;
  Cluster cluster(plain);
  const auto before = cluster.workers();
  std::string text = read_file(cluster.conf());
  text.replace(text.find("# user"), 2, "");
  cluster.dir().write("app.conf", text);
  const Finished reload = cluster.verb({"reload"});
  CHECK(reload.code != 0);
  CHECK(reload.err.find("run workers as nobody") != std::string::npos);
  CHECK(cluster.workers() == before);
}

TEST_CASE("fault 40: what cannot be anybody is a mistake in the file, with its line") {
  const TempDir dir;
  const std::vector<std::pair<std::string, std::string>> all = {
      {"\"nobdy\"", "there is no user \"nobdy\"; did you mean \"nobody\"?"},
      {"\"4294967296\"", "\"4294967296\" is no user's number"},
      {"\"4294967295\"", "\"4294967295\" is no user's number"},
      {"\"0day\"", "there is no user \"0day\""},
      {"\"-1\"", "there is no user \"-1\""},
      {"\"\"", "expected a name or a number"},
      {"4294967296", "expected a name or a number"},
      {"\"4242424\"", "has no name, and so no group of its own; set group"}};
  for (const auto& [value, mistake] : all) {
    CAPTURE(value);
    const std::string conf =
        dir.write("app.conf",
                  "workers = 1\nuser = " + value +
                      "\n[[listen]]\naddress = \"127.0.0.1:0\"\n[worker]\ncommand = [\"true\"]\n");
    const Finished check = run({clusterd_program(), "check", conf});
    CHECK(check.code == 78);
    CHECK(check.err.find(conf + ":2: user: ") == 0);
    CHECK(check.err.find(mistake) != std::string::npos);
  }
}

TEST_CASE("fault 41: after many reloads children have nothing that they did not have before") {
  constexpr int kReloads = CLUSTERD_TEST_SCALE;
  std::string top;
  uid_t as = 0;
  SUBCASE("a root master") { top = is_root() ? "user = \"nobody\"\n" : ""; }
  SUBCASE("an ordinary user's") { as = ::geteuid() == 0 ? kSomebody : 0; }
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID",
                           "LISTEN_FDS", "LISTEN_FDNAMES", "CLUSTERD_TOKEN", "NODE_CHANNEL_FD"}) {
    ::setenv(name, "the-masters-own", 1);
  }
  Cluster cluster({.workers = 2,
                   .command = {fixture_worker(), "events"},
                   .more = "[reload]\nsettle = \"1ms\"\nsurge = 2\n",
                   .top = top,
                   .as = as});
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID",
                           "LISTEN_FDS", "LISTEN_FDNAMES", "CLUSTERD_TOKEN", "NODE_CHANNEL_FD"}) {
    ::unsetenv(name);
  }
  const auto files = open_files(cluster.workers().front());
  const auto agents = open_files(cluster.agent());
  const auto names = variables(cluster.workers().front());
  const std::size_t masters = cluster.fds();
  for (int i = 0; i < kReloads; ++i) REQUIRE(cluster.verb({"reload"}).code == 0);
  REQUIRE(eventually([&] { return cluster.running(2); }, 20s));
  for (const pid_t pid : cluster.workers()) {
    CHECK(open_files(pid) == files);
    CHECK(variables(pid) == names);
  }
  CHECK(open_files(cluster.agent()) == agents);
  CHECK(eventually([&] { return cluster.fds() == masters; }, 10s));
  for (const pid_t pid : children(cluster)) {
    CHECK(proc(pid, "environ").find("the-masters-own") == std::string::npos);
    CHECK(status_of(pid, "SigBlk") == kNone);
    CHECK(status_of(pid, "SigIgn") ==
          "0000000000001000");  // PIPE, since what it prints is captured
  }
}

TEST_CASE("fault 39: no word of a worker moves a cursor, or passes for the master's") {
  const std::string words =
      "%1B[2J%0D%0A2026-01-01 00:00:00.000 info    master[1] forged%00%7F%C2%9B";
  Cluster cluster({.workers = 1, .command = {fixture_worker(), "events"}});
  REQUIRE(get(cluster.port(), 10s, "/suicide?reason=" + words).ok());
  static_cast<void>(told_first(cluster, "suicide"));
  REQUIRE(eventually([&] { return !told(cluster, "exit").empty() && cluster.running(1); }, 20s));
  const auto is_clean = [](const std::string& text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
      const auto byte = static_cast<unsigned char>(text[at]);
      if (text[at] != '\n' && (byte < 0x20 || byte == 0x7f)) return false;
      if (byte == 0xc2 && static_cast<unsigned char>(text[at + 1]) < 0xa0) return false;
    }
    return true;
  };
  std::istringstream log(cluster.log());
  for (std::string line; std::getline(log, line);) {
    CAPTURE(line);
    CHECK(is_clean(line));
    CHECK_FALSE(line.starts_with("2026-01-01"));
  }
  CHECK(cluster.log().find("\\x0d\\x0a2026-01-01") != std::string::npos);
  CHECK(is_clean(cluster.verb({"events"}).out));
  CHECK(is_clean(cluster.verb({"status"}).out));
  CHECK(is_clean(cluster.verb({"status", "--json"}).out));
}
