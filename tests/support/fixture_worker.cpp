// A worker that does what a test needs: fixture-worker MODE [ARGUMENT], with the worker library and
// no Asio. It serves one request a connection and waits for that. In the modes "serve" (the
// default) and "events" a request can ask for more (fixture_requests.h), and in any of those that
// come to their loop the environment can make the start go wrong (fixture_mood.h).
#include "common/environment.h"
#include "common/unique_fd.h"
#include "tests/support/fixture_mood.h"
#include "tests/support/fixture_requests.h"
#include "tests/support/fixture_tally.h"
#include "tests/support/hostile_worker.h"

#include <clusterd/worker.hpp>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <poll.h>
#include <sstream>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace {

using clusterd::test::fixture_after;
using clusterd::test::mood;

/// Waits for the request and answers it, with its path as an id.
void serve(int fd) {
  const auto target = clusterd::test::fixture_target(fd);
  if (!target) return;
  const std::string answer = clusterd::test::fixture_answer(*target);
  (void)!::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
}

bool in_slot(const std::string& number) {
  const char* slot = std::getenv(clusterd::kEnvSlot);
  return slot != nullptr && number == slot;
}

struct Mode {
  std::string name;
  int argument = 0;
};

clusterd::Worker::Handler handler_for(const Mode& mode, clusterd::Worker& worker,
                                      clusterd::test::FixtureRequests& requests,
                                      std::vector<clusterd::Connection>& held) {
  if (mode.name == "raw-close") {
    // As a program that knows nothing of us: close(2) alone, which says nothing to the client
    // while the master still has a copy.
    return [](clusterd::Connection connection) {
      auto [fd, hold] = connection.detach();
      serve(fd);
      ::close(fd);
    };
  }
  if (mode.name == "die-after") {
    return [&worker, left = mode.argument](clusterd::Connection connection) mutable {
      serve(connection.fd());
      worker.count_request();
      connection.close();
      if (--left == 0) ::_exit(3);
    };
  }
  if (mode.name == "events") {
    // As most servers: it waits for no client, so it could accept all that come. With an argument
    // it thinks for up to so many milliseconds.
    return [&worker, &requests, most = mode.argument](clusterd::Connection connection) {
      const auto kept = std::make_shared<clusterd::Connection>(std::move(connection));
      const auto hold = std::make_shared<clusterd::test::FixtureHold>();
      worker.watch(kept->fd(), [&worker, &requests, most, kept, hold] {
        worker.unwatch(kept->fd());
        if (most == 0) return requests.serve(std::move(*kept));
        fixture_after(worker, std::rand() % (most + 1),
                      [&requests, kept, hold] { requests.serve(std::move(*kept)); });
      });
    };
  }
  if (mode.name == "hold") {
    return [&held](clusterd::Connection connection) { held.push_back(std::move(connection)); };
  }
  if (mode.name == "slow" || (mode.name == "slow-slot-0" && in_slot("0"))) {
    return [ms = mode.argument](clusterd::Connection connection) {
      ::poll(nullptr, 0, ms);
      serve(connection.fd());
    };
  }
  return [&requests](clusterd::Connection connection) { requests.serve(std::move(connection)); };
}

/// Sends each datagram back.
int echo_datagrams() {
  clusterd::Worker worker;
  const int fd = worker.datagram(clusterd::Endpoint("", "udp://127.0.0.1:0"));
  worker.watch(fd, [fd] {
    char bytes[2048];
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    const ssize_t got = ::recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT,
                                   reinterpret_cast<sockaddr*>(&from), &length);
    if (got < 0) return;  // another worker was quicker
    (void)!::sendto(fd, bytes, static_cast<std::size_t>(got), MSG_DONTWAIT,
                    reinterpret_cast<sockaddr*>(&from), length);
  });
  worker.ready();
  return worker.run();
}

void say_watchdog(clusterd::Worker& worker, int times) {
  if (times == 0) return;
  const char* name = std::getenv("NOTIFY_SOCKET");
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const std::size_t length = name == nullptr ? 0 : std::strlen(name);
  if (length == 0 || length >= sizeof to.sun_path) return;
  std::memcpy(to.sun_path, name, length);
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const clusterd::UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  (void)!::sendto(fd.get(), "WATCHDOG=1", 10, MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&to),
                  static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
  fixture_after(worker, 100, [&worker, times] { say_watchdog(worker, times - 1); });
}

/// Says ready, in the mood that it is in.
void be_ready(clusterd::Worker& worker) {
  if (!mood("NEVER_READY").empty()) return;
  const auto ready = [&worker] {
    worker.ready();
    if (const std::string times = mood("WATCHDOGS"); !times.empty()) {
      say_watchdog(worker, std::stoi(times));
    }
    const std::string life = mood("DIE_AFTER_MS");
    if (!life.empty()) fixture_after(worker, std::stoi(life), [] { ::_exit(3); });
  };
  const std::string later = mood("READY_AFTER_MS");
  if (later.empty()) return ready();
  fixture_after(worker, std::stoi(later), ready);
}

int run(const Mode& mode) {
  if (const std::string code = mood("DIE_AT_START"); !code.empty()) {
    std::fprintf(stderr, "fixture-worker: dies at its start, with %s\n", code.c_str());
    return std::stoi(code);
  }
  if (mode.name == "datagram") return echo_datagrams();
  if (mode.name == "die-at-start") return mode.argument;
  if (mode.name == "ignore-term") {
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGTERM, &ignore, nullptr);
  }
  if (mode.name == "few-fds") {
    const auto most = static_cast<rlim_t>(mode.argument);
    const rlimit limit{most, most};
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  clusterd::Worker worker;
  clusterd::test::FixtureRequests requests(worker);
  std::vector<clusterd::Connection> held;
  std::istringstream words(mood("LISTEN"));
  std::vector<std::string> names{std::istream_iterator<std::string>(words), {}};
  if (names.empty()) names.emplace_back();  // the only one that there is
  for (const std::string& name : names) {
    worker.listen(clusterd::Endpoint(name, "127.0.0.1:0"),
                  handler_for(mode, worker, requests, held));
  }
  if (mode.name != "never-ready") be_ready(worker);
  if (mode.name == "ignore-term") {
    // The library has taken off what ends a worker with its master, so that it can finish.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) worker.dispatch(-1);
  }
  return worker.run();
}

}  // namespace

int main(int argc, char** argv) {
  const Mode mode{argc > 1 ? argv[1] : "serve", argc > 2 ? std::atoi(argv[2]) : 0};
  try {
    if (clusterd::test::is_hostile(mode.name)) return clusterd::test::run_hostile(mode.name);
    return run(mode);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fixture-worker: %s\n", error.what());
    return 1;
  }
}
