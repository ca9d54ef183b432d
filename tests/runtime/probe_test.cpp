#include "master/runtime/probe.h"

#include "master/os/listener.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;

os::Listener listener() {
  auto opened = os::Listener::open(*Address::parse("127.0.0.1:0"), 8);
  REQUIRE(opened.has_value());
  return std::move(*opened);
}

/// Accepts one connection and answers it; what was asked.
std::string serve_one(const os::Listener& listener, const std::string& answer) {
  UniqueFd client;
  while (!client) {
    client.reset(::accept(listener.fd(), nullptr, nullptr));
    if (!client) std::this_thread::yield();
  }
  char request[1024];
  const ssize_t size = answer.empty() ? 0 : ::recv(client.get(), request, sizeof request, 0);
  (void)!::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  return {request, static_cast<std::size_t>(size)};
}

/// Probes for so long, or until it has passed.
struct Probing {
  Probing(const os::Listener& listener, const std::string& path) {
    Probe::Target target = Probe::target(listener.fd());
    target.path = path;
    target.host = "shop";
    probe.emplace(
        io, std::move(target),
        [this] {
          passed = true;
          io.stop();
        },
        [this](const std::string& why) { failures.push_back(why); });
  }
  bool within(std::chrono::milliseconds time) {
    io.restart();
    io.run_for(time);
    return passed;
  }
  boost::asio::io_context io{1};
  std::optional<Probe> probe;
  bool passed = false;
  std::vector<std::string> failures;
};

}  // namespace

TEST_CASE("a status line has a code") {
  CHECK(http_status("HTTP/1.1 200 OK\r\n") == 200);
  CHECK(http_status("HTTP/1.0 503\n") == 503);
  for (const char* line : {"", "HTTP/1.1", "HTTP/1.1 2x0", "HTTP/2 200", "220 smtp ready"}) {
    CHECK(http_status(line) == 0);
  }
}

TEST_CASE("an HTTP probe asks until the answer is good") {
  const os::Listener at = listener();
  Probing probing(at, "/healthz");
  std::string asked;
  std::thread server([&] {
    asked = serve_one(at, "HTTP/1.1 503 Not yet\r\n\r\n");
    (void)serve_one(at, "220 another protocol\r\n");
    (void)serve_one(at, "HTTP/1.1 204 No Content\r\n\r\n");
  });
  CHECK(probing.within(10s));
  server.join();
  CHECK(probing.failures ==
        std::vector<std::string>{"GET /healthz was answered with 503, and not with 200 to 399",
                                 "GET /healthz was answered with what is no HTTP"});
  CHECK(asked ==
        "GET /healthz HTTP/1.1\r\nHost: shop\r\nUser-Agent: clusterd\r\nConnection: close\r\n\r\n");
}

TEST_CASE("a TCP probe passes when somebody has accepted, and not before") {
  const os::Listener at = listener();
  Probing probing(at, "");
  CHECK_FALSE(probing.within(200ms));
  std::thread server([&] { (void)serve_one(at, ""); });
  CHECK(probing.within(10s));
  server.join();
}

TEST_CASE("a probe that goes away in the middle says nothing") {
  const os::Listener at = listener();
  Probing probing(at, "/");
  CHECK_FALSE(probing.within(50ms));
  probing.probe.reset();
  std::thread server([&] { (void)serve_one(at, "HTTP/1.1 200 OK\r\n\r\n"); });
  CHECK_FALSE(probing.within(100ms));
  server.join();
}

}  // namespace clusterd::runtime
