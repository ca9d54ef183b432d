// Clients that keep their connections, when the worker that serves them leaves (D6): who waits for
// an answer gets it with "Connection: close", who is between two requests sees the end.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/keep_alive.h"
#include "tests/support/told.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// http-worker, and beside it in each slot a process that says suicide for it on its channel as
/// soon as the test writes into the slot's pipe. A successor may have opened the pipe before the
/// test has closed it, and reads its end: that is no word.
class Suicidal {
 public:
  explicit Suicidal(unsigned workers) : workers_(workers) {
    for (unsigned slot = 0; slot < workers; ++slot) {
      REQUIRE(::mkfifo(pipe_of(slot).c_str(), 0600) == 0);
    }
    const std::string script = dir_.write(
        "worker", "pipe=" + dir_.path("pipe") +
                      "$CLUSTERD_SLOT\n(until read word < $pipe; do [ -p $pipe ] || exit; done\n"
                      "echo '{\"act\":\"suicide\"}' >&3) &\nexec " +
                      http_worker() + "\n");
    cluster_.emplace(ClusterOptions{.workers = workers,
                                    .command = {"/bin/sh", script},
                                    .worker_keys = "drain_timeout = \"60s\"\n",
                                    .more = "[restart]\nlimit = 1000\n"});
  }

  Cluster& cluster() { return *cluster_; }

  /// Waits until another is ready in its place.
  pid_t suicide(unsigned slot) {
    const auto before = cluster_->workers();
    REQUIRE(before.size() == workers_);
    int fd = -1;
    REQUIRE(eventually(
        [&] {
          return (fd = ::open(pipe_of(slot).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0;
        },
        20s));
    REQUIRE(::write(fd, "go\n", 3) == 3);
    ::close(fd);
    const pid_t old = before.at(slot);
    REQUIRE(eventually(
        [&] {
          const auto now = cluster_->workers();
          return now.size() == workers_ && std::count(now.begin(), now.end(), old) == 0;
        },
        30s));
    return old;
  }

 private:
  [[nodiscard]] std::string pipe_of(unsigned slot) const {
    return dir_.path("pipe" + std::to_string(slot));
  }

  TempDir dir_;
  unsigned workers_;
  std::optional<Cluster> cluster_;
};

}  // namespace

TEST_CASE("D6: a draining worker says Connection: close, and ends idle connections cleanly") {
  Suicidal suicidal(1);
  const std::uint16_t port = suicidal.cluster().port();
  Client idle(port);
  idle.ask(false);
  const Reply first = idle.read_one(20s);
  REQUIRE(first.ok());
  CHECK_FALSE(first.closes);
  Client busy(port);
  const std::string request = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
  (void)::send(busy.fd(), request.data(), 10, MSG_NOSIGNAL);
  Client fresh(port);  // has not asked for anything yet
  REQUIRE(eventually([&] { return suicidal.cluster().counts()->workers.at(0).active == 3; }, 20s));

  const pid_t old = suicidal.suicide(0);
  CHECK(idle.read_one(20s).kind == Reply::Kind::eof);
  (void)::send(busy.fd(), request.data() + 10, request.size() - 10, MSG_NOSIGNAL);
  fresh.ask(false);
  for (Client* client : {&busy, &fresh}) {
    const Reply reply = client->read_one(20s);
    CHECK(reply.ok());
    CHECK(reply.closes);
    CHECK(pid_in(reply.body) == old);
    CHECK(client->read_one(20s).kind == Reply::Kind::eof);
  }
  CHECK(told_first(suicidal.cluster(), "exit", {{"pid", old}}).at("code") == 0);
}

TEST_CASE("D6: clients that keep their connections lose nothing through 10 suicides") {
  Suicidal suicidal(4);
  KeepAliveLoad load(suicidal.cluster().port(), 16);
  for (unsigned times = 0; times < 10; ++times) {
    const std::uint64_t before = load.done();
    REQUIRE(eventually([&] { return load.done() > before + 100; }, 30s));
    (void)suicidal.suicide(times % 4);
  }
  const KeepAliveReport report = load.stop();
  CAPTURE(report.text());
  CHECK(report.lost == 0);
  CHECK(report.done > 1000);
  CHECK(report.told + report.ended > 0);
  CHECK(told(suicidal.cluster(), "suicide").size() == 10);
  CHECK(fewest_ready(suicidal.cluster()) >= 3);
}
