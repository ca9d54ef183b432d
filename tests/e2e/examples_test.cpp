// The example programs, under clusterd and alone.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <string>
#include <sys/socket.h>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// No TERM because the machine is slow: one that is sent says that the worker did not leave.
constexpr const char* kPatient = "drain_timeout = \"60s\"\n";

/// Starts `program` by itself on a free port; gives the port.
std::uint16_t start_alone(Program& program, const std::string& out) {
  std::string line;
  REQUIRE(eventually([&] { return (line = read_file(out)).ends_with("\n"); }, 10s));
  REQUIRE(program.running());
  line.pop_back();
  return static_cast<std::uint16_t>(std::stoul(line.substr(line.rfind(':') + 1)));
}

/// Sends a line and reads it back.
bool echoes(Client& client, const std::string& line) {
  if (::send(client.fd(), line.data(), line.size(), MSG_NOSIGNAL) < 0) return false;
  std::string back(line.size(), '\0');
  return ::recv(client.fd(), back.data(), back.size(), MSG_WAITALL) ==
             static_cast<ssize_t>(line.size()) &&
         back == line;
}

}  // namespace

TEST_CASE("epoll-worker, in C with a loop of its own, serves under clusterd in both policies") {
  for (const char* policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    Cluster cluster(
        {.workers = 2, .policy = policy, .command = {epoll_worker()}, .worker_keys = kPatient});
    std::set<long> pids;
    for (int i = 0; i < 100; ++i) {
      const Reply reply = get(cluster.port());
      REQUIRE(reply.ok());
      pids.insert(pid_in(reply.body));
    }
    CHECK(pids.size() == 2);
    Client kept(cluster.port());
    for (int i = 0; i < 10; ++i) {
      kept.ask(false);
      CHECK(kept.read_one(5s).ok());
    }
    // The idle connection does not hold the stop up.
    CHECK(cluster.verb({"stop"}).code == 0);
    CHECK(kept.read_to_end(10s).kind == Reply::Kind::eof);
    CHECK(cluster.log().find("sending TERM") == std::string::npos);
    CHECK(cluster.log().find("AddressSanitizer") == std::string::npos);
  }
}

TEST_CASE("epoll-worker withstands wrk") {
  Cluster cluster({.workers = 2, .command = {epoll_worker()}});
  for (const char* connection : {"keep-alive", "close"}) {
    const Finished wrk = run({"wrk", "-t1", "-c32", "-d1", "--timeout", "30", "-H",
                              std::string("Connection: ") + connection,
                              "http://127.0.0.1:" + std::to_string(cluster.port()) + "/"});
    CAPTURE(wrk.out);
    CHECK(wrk.code == 0);
    CHECK(wrk.out.find("Socket errors") == std::string::npos);
  }
  CHECK(cluster.workers().size() == 2);
  CHECK(cluster.log().find("ERROR") == std::string::npos);
}

TEST_CASE("echo-worker, in the library's own loop, talks to several clients at once") {
  for (const char* policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    Cluster cluster(
        {.workers = 2, .policy = policy, .command = {echo_worker()}, .worker_keys = kPatient});
    Client first(cluster.port());
    Client second(cluster.port());
    Client third(cluster.port());
    for (int i = 0; i < 5; ++i) {
      const std::string line = "line " + std::to_string(i) + "\n";
      CHECK(echoes(first, line));
      CHECK(echoes(second, line));
      CHECK(echoes(third, line));
    }
    first.close();
    CHECK(echoes(second, "still here\n"));
    // At the drain it ends its side, and is done when the clients have ended theirs.
    cluster.master().signal(SIGTERM);
    CHECK(second.read_to_end(10s).kind == Reply::Kind::eof);
    CHECK(third.read_to_end(10s).kind == Reply::Kind::eof);
    second.close();
    third.close();
    CHECK(cluster.master().wait(20s) == 0);
    CHECK(cluster.log().find("sending TERM") == std::string::npos);
  }
}

TEST_CASE("epoll-worker and echo-worker bind for themselves without clusterd") {
  const TempDir dir;
  Program http({epoll_worker(), "127.0.0.1:0"}, dir.path("http"), dir.path("err"));
  CHECK(pid_in(get(start_alone(http, dir.path("http"))).body) == http.pid());
  Program echo({echo_worker(), "127.0.0.1:0"}, dir.path("echo"), dir.path("err"));
  Client client(start_alone(echo, dir.path("echo")));
  CHECK(echoes(client, "alone\n"));
  const Finished taken = run({epoll_worker(), "256.0.0.1:80"});
  CHECK(taken.code == 1);
  CHECK(taken.err.find("256.0.0.1") != std::string::npos);
}
