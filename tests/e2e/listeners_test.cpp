// The other policies and the other kinds of listeners, on the real daemon.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <boost/json/array.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <sched.h>
#include <set>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

std::map<pid_t, std::int64_t> active(const Cluster& cluster) {
  std::map<pid_t, std::int64_t> result;
  const auto status = cluster.status();
  if (!status) return result;
  for (const auto& worker : status->at("workers").as_array()) {
    result[static_cast<pid_t>(worker.at("pid").as_int64())] = worker.at("active").as_int64();
  }
  return result;
}

std::int64_t total(const std::map<pid_t, std::int64_t>& counts) {
  std::int64_t sum = 0;
  for (const auto& [pid, count] : counts) sum += count;
  return sum;
}

/// A whole app.conf with one listener, given by the lines of its table.
std::string conf_with(const std::string& listen, const std::string& worker) {
  return "name = \"kinds\"\nworkers = 2\n[[listen]]\n" + listen + "\n[worker]\ncommand = [\"" +
         worker + "\"]\n[control]\nsocket = \"ctl.sock\"\n";
}

struct Daemon {
  Daemon(const TempDir& folder, const std::string& conf)
      : dir(folder),
        program({clusterd_program(), "start", dir.write("app.conf", conf)}, dir.path("out"),
                dir.path("err")) {
    const bool up = eventually(
        [&] { return read_file(dir.path("err")).find("running:") != std::string::npos; }, 15s);
    REQUIRE_MESSAGE(up, read_file(dir.path("err")));
  }

  const TempDir& dir;
  Program program;
};

/// One HTTP request over a Unix socket; the answer's text.
std::string ask_unix(const std::string& path) {
  const clusterd::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) return "";
  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  (void)!::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  return answer;
}

}  // namespace

TEST_CASE("least-connections fills up the worker that holds fewest") {
  Cluster cluster(
      {.workers = 3, .policy = "least-connections", .command = {fixture_worker(), "hold"}});
  std::vector<std::unique_ptr<Client>> held;
  for (int i = 0; i < 30; ++i) held.push_back(std::make_unique<Client>(cluster.port()));
  REQUIRE(eventually([&] { return total(active(cluster)) == 30; }, 10s));
  for (const auto& [pid, count] : active(cluster)) CHECK(count == 10);
  // One dies with all it holds; its replacement is the emptiest until it has caught up.
  const pid_t victim = active(cluster).begin()->first;
  ::kill(victim, SIGKILL);
  REQUIRE(eventually([&] { return cluster.replaced({victim}, 3); }, 10s));
  for (int i = 0; i < 10; ++i) {
    held.push_back(std::make_unique<Client>(cluster.port()));
    REQUIRE(eventually([&] { return total(active(cluster)) == 20 + i + 1; }, 10s));
  }
  for (const auto& [pid, count] : active(cluster)) CHECK(count == 10);
}

TEST_CASE("sticky gives a client its worker again, also after a replacement of another") {
  // No stall_timeout: on a slow machine it would make an exception.
  Cluster cluster({.workers = 4, .policy = "sticky", .worker_keys = "stall_timeout = \"0\"\n"});
  const long first = pid_in(get(cluster.port()).body);
  REQUIRE(first > 0);
  for (int i = 0; i < 50; ++i) CHECK(pid_in(get(cluster.port()).body) == first);
  for (const pid_t pid : cluster.workers()) {
    if (pid != first) ::kill(pid, SIGKILL);
  }
  for (int i = 0; i < 50; ++i) CHECK(pid_in(get(cluster.port()).body) == first);
}

TEST_CASE("max_connections is not exceeded, and who waits gets in when another leaves") {
  for (const char* policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    Cluster cluster({.workers = 2,
                     .policy = policy,
                     .worker_keys = "max_connections = 3\nstall_timeout = \"0\"\n"});
    std::vector<std::unique_ptr<Client>> kept;
    for (int i = 0; i < 6; ++i) {
      kept.push_back(std::make_unique<Client>(cluster.port()));
      kept.back()->ask(false);
      REQUIRE(kept.back()->read_one(5s).ok());
    }
    for (const auto& [pid, count] : active(cluster)) CHECK(count == 3);
    Client late(cluster.port());
    late.ask();
    CHECK(late.read_to_end(300ms).kind == Reply::Kind::timeout);
    kept.front()->close();
    CHECK(late.read_to_end(10s).ok());
  }
}

TEST_CASE("a Unix listener has its mode, serves, and is unlinked at the stop") {
  for (const char* policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    const TempDir dir;
    const std::string path = dir.path("web.sock");
    {
      Daemon daemon(dir, conf_with("address = \"unix:web.sock\"\nmode = \"0640\"\npolicy = \"" +
                                       std::string(policy) + "\"",
                                   epoll_worker()));
      struct stat status{};
      REQUIRE(::lstat(path.c_str(), &status) == 0);
      CHECK((status.st_mode & 0777) == 0640);
      for (int i = 0; i < 10; ++i) CHECK(ask_unix(path).find("200 OK") != std::string::npos);

      // A second master is refused with the owner's pid, and takes nothing away.
      const std::string other =
          dir.write("other.conf", conf_with("address = \"unix:web.sock\"", epoll_worker()) + "\n");
      const Finished second =
          run({clusterd_program(), "start", "--set", "control.socket=o.sock", other});
      CHECK(second.code == 71);
      CHECK(second.err.find("pid " + std::to_string(daemon.program.pid())) != std::string::npos);
      CHECK(ask_unix(path).find("200 OK") != std::string::npos);
      daemon.program.signal(SIGTERM);
      CHECK(daemon.program.wait(10s) == 0);
    }
    CHECK_FALSE(std::filesystem::exists(path));
  }
}

TEST_CASE("a stale Unix socket is taken over, and a file in its place is left alone") {
  const TempDir dir;
  const std::string conf = conf_with("address = \"unix:web.sock\"", epoll_worker());
  {
    Daemon killed(dir, conf);
    killed.program.signal(SIGKILL);
    CHECK(killed.program.wait(5s) == 128 + SIGKILL);
  }
  CHECK(std::filesystem::exists(dir.path("web.sock")));
  std::filesystem::remove(dir.path("err"));
  {
    Daemon again(dir, conf);
    CHECK(ask_unix(dir.path("web.sock")).find("200 OK") != std::string::npos);
    again.program.signal(SIGTERM);
    CHECK(again.program.wait(10s) == 0);
  }
  dir.write("web.sock", "precious");
  const Finished refused = run({clusterd_program(), "start", dir.path("app.conf")});
  CHECK(refused.code == 71);
  CHECK(read_file(dir.path("web.sock")) == "precious");
}

TEST_CASE("a UDP listener is shared by the workers") {
  const TempDir dir;
  Daemon daemon(dir, conf_with("name = \"dns\"\naddress = \"udp://127.0.0.1:0\"",
                               fixture_worker() + "\", \"datagram"));
  const Finished status = run({clusterd_program(), "status", "--json", dir.path("app.conf")});
  const std::size_t at = status.out.find("udp://127.0.0.1:");
  REQUIRE(at != std::string::npos);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoul(status.out.substr(at + 16))));
  const clusterd::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const timeval patience{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  for (int i = 0; i < 20; ++i) {
    REQUIRE(::sendto(fd.get(), "hello", 5, 0, reinterpret_cast<sockaddr*>(&address),
                     sizeof address) == 5);
    char back[16];
    CHECK(::recv(fd.get(), back, sizeof back, 0) == 5);
  }
  daemon.program.signal(SIGTERM);
  CHECK(daemon.program.wait(10s) == 0);
}

TEST_CASE("--set changes a key for one start") {
  const TempDir dir;
  dir.write("app.conf", conf_with("address = \"127.0.0.1:0\"", http_worker()));
  Program program({clusterd_program(), "start", "--set", "workers=3", "--set", "worker.sched=batch",
                   dir.path("app.conf")},
                  dir.path("out"), dir.path("err"));
  CHECK(eventually(
      [&] {
        return run({clusterd_program(), "status", dir.path("app.conf")})
                   .out.find("3 of 3 workers ready") != std::string::npos;
      },
      20s));
  for (const pid_t pid : children_of(program.pid())) {
    const bool agent =
        read_file("/proc/" + std::to_string(pid) + "/cmdline").starts_with("clusterd: agent");
    CHECK(::sched_getscheduler(pid) == (agent ? SCHED_OTHER : SCHED_BATCH));
  }
  const Finished wrong =
      run({clusterd_program(), "start", "--set", "wrokers=3", dir.path("app.conf")});
  CHECK(wrong.code == 78);
  CHECK(wrong.err.find("\"workers\"") != std::string::npos);
}
