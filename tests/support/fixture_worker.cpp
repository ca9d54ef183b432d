// A worker that does what a test needs: fixture-worker MODE [ARGUMENT]. It serves one request a
// connection, blocking, with the worker library and no Asio.
#include "common/environment.h"
#include "common/unique_fd.h"
#include "tests/support/hostile_worker.h"

#include <clusterd/worker.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <poll.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

/// The path of "GET /PATH HTTP/1.1".
std::string path_of(const std::string& request) {
  const std::size_t from = request.find('/') + 1;
  return request.substr(from, request.find(' ', from) - from);
}

std::string answer_to(const std::string& request) {
  std::string body = "handled by worker, pid is " + std::to_string(::getpid()) + "\n";
  const std::string id = path_of(request);
  if (!id.empty()) body += "id is " + id + "\n";
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// Waits for the request and answers it, with its path as an id.
void serve(int fd) {
  pollfd ready{fd, POLLIN, 0};
  char request[4096];
  if (::poll(&ready, 1, 30'000) <= 0) return;
  const ssize_t got = ::recv(fd, request, sizeof request, 0);
  if (got <= 0) return;
  const std::string answer = answer_to({request, static_cast<std::size_t>(got)});
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
    // As most servers: it waits for no client, so it could accept all that come.
    return [&worker](clusterd::Connection connection) {
      const auto kept = std::make_shared<clusterd::Connection>(std::move(connection));
      worker.watch(kept->fd(), [&worker, kept] {
        serve(kept->fd());
        worker.count_request();
        worker.unwatch(kept->fd());
        kept->close();
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
  return [&worker](clusterd::Connection connection) {
    serve(connection.fd());
    worker.count_request();
  };
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

int run(const Mode& mode) {
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
  std::vector<clusterd::Connection> held;
  worker.listen(clusterd::Endpoint("", "127.0.0.1:0"), handler_for(mode, worker, held));
  if (mode.name != "never-ready") worker.ready();
  if (mode.name == "ignore-term") {
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
