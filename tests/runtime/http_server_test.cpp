// The agent's HTTP server, in process, and clients that do not behave.
#include "agent/http_server.h"

#include "tests/support/eventually.h"
#include "tests/support/local_server.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::agent {
namespace {

using namespace std::chrono_literals;
using test::eventually;

/// A client of which all is done in turns of the server's loop.
struct Peer {
  explicit Peer(std::uint16_t port)
      : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)!::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  }

  void send(const std::string& request) const {
    (void)!::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
  }
  /// Reads what there is.
  void read() {
    char buffer[65536];
    while (!ended) {
      const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) {
        ended = true;
        reset = got < 0;
        return;
      }
      text.append(buffer, static_cast<std::size_t>(got));
    }
  }

  UniqueFd fd;
  std::string text;
  bool ended = false;
  bool reset = false;
};

/// A server whose master answers at once, or not at all.
struct Server {
  explicit Server(HttpLimits limits = {}) : server(io, inquiry, limits) {
    const int copy = ::dup(place.fd.get());
    REQUIRE(copy >= 0);
    server.listen(UniqueFd(copy));
  }

  /// Turns the loop until the fact holds.
  template <typename Fact>
  bool until(Fact fact, std::chrono::milliseconds deadline = 10s) {
    return eventually(
        [&] {
          io.restart();
          (void)io.poll();
          for (const protocol::Report& report : std::exchange(questions, {})) {
            if (silent) continue;
            inquiry.answered({report.seq, 0, ready, "as it is"}, report.metrics ? page : nullptr);
          }
          (void)io.poll();
          return fact();
        },
        deadline);
  }
  bool ends(Peer& peer, std::chrono::milliseconds deadline = 10s) {
    return until([&] { return peer.read(), peer.ended; }, deadline);
  }
  /// All that it says to this request, until it closes.
  std::string whole(const std::string& request) {
    Peer peer(place.port);
    peer.send(request);
    CHECK(ends(peer));
    CHECK_FALSE(peer.reset);
    return peer.text;
  }
  std::string get(const std::string& target) {
    return whole("GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }

  struct NonBlocking : test::LocalServer {
    NonBlocking() { REQUIRE(::fcntl(fd.get(), F_SETFL, O_NONBLOCK) == 0); }
  };

  bool silent = false;
  bool ready = true;
  std::shared_ptr<const std::string> page = std::make_shared<const std::string>("a 1\n");
  NonBlocking place;
  boost::asio::io_context io;
  std::vector<protocol::Report> questions;
  Inquiry inquiry{io, [this](const protocol::Report& report) { questions.push_back(report); },
                  100ms};
  HttpServer server;
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t times = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++times;
  }
  return times;
}

}  // namespace

TEST_CASE("health, readiness and metrics are answered") {
  Server server;
  CHECK(server.get("/healthz").starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(server.get("/readyz").ends_with("\r\n\r\nas it is\n"));
  const std::string metrics = server.get("/metrics");
  CHECK(has(metrics, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  CHECK(has(metrics, "Content-Length: 4\r\n"));
  CHECK(metrics.ends_with("\r\n\r\na 1\n"));
  server.ready = false;
  CHECK(server.get("/readyz").starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(server.get("/healthz").starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(server.get("/else").starts_with("HTTP/1.1 404 Not Found\r\n"));
}

TEST_CASE("a master that does not answer is told within the patience") {
  Server server;
  server.silent = true;
  CHECK(server.get("/healthz").starts_with("HTTP/1.1 503"));
}

TEST_CASE("HEAD says what GET would, and no more") {
  Server server;
  const std::string said =
      server.whole("HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(said.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(has(said, "Content-Length: 4\r\n"));
  CHECK(said.ends_with("\r\n\r\n"));
}

TEST_CASE("other methods, bodies and what is no HTTP end the connection with an answer") {
  Server server;
  const std::string post = server.whole("POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
  CHECK(post.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
  CHECK(has(post, "Allow: GET, HEAD\r\n"));
  const std::string body = server.whole(
      "GET /healthz HTTP/1.1\r\nContent-Length: 30\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n");
  CHECK(count(body, "HTTP/1.1 200") == 1);
  CHECK(has(body, "Connection: close\r\n"));
  const std::string chunked =
      server.whole("GET /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  CHECK(count(chunked, "HTTP/1.1 ") == 1);
  for (const std::string wrong :
       {"\r\n\r\n\r\n", "hello\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "GET / HTTP/9\r\n\r\n",
        "\x16\x03\x01\x02\x01\xfc", "GET / HTTP/1.1\r\nno field\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"}) {
    CAPTURE(wrong);
    CHECK(server.whole(wrong).starts_with("HTTP/1.1 400 Bad Request\r\n"));
  }
}

TEST_CASE("a head that is too long is refused, without being kept") {
  Server server;
  const std::string said =
      server.whole("GET /healthz HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n");
  CHECK(said.starts_with("HTTP/1.1 431"));
}

TEST_CASE("a connection is kept, also for an HTTP 1.0 client that asks for it") {
  Server server;
  Peer peer(server.place.port);
  for (std::size_t time = 1; time <= 3; ++time) {
    peer.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(server.until([&] { return peer.read(), count(peer.text, "\r\n\r\nok\n") == time; }));
  }
  CHECK_FALSE(peer.ended);
  CHECK(server.whole("GET /healthz HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200 OK\r\n"));
}

TEST_CASE("requests that are sent ahead are answered in their order") {
  Server server;
  std::string requests;
  for (int time = 0; time < 200; ++time) {
    requests += "GET /healthz HTTP/1.1\r\n\r\nGET /no HTTP/1.1\r\n\r\n";
  }
  const std::string said =
      server.whole(requests + "GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n");
  CHECK(count(said, "HTTP/1.1 200") == 201);
  CHECK(count(said, "HTTP/1.1 404") == 200);
  CHECK(said.ends_with("a 1\n"));
}

TEST_CASE("a slow client has so long for a whole head, however it divides it") {
  Server server({.request = 200ms});
  Peer silent(server.place.port);
  Peer slow(server.place.port);
  const auto begin = std::chrono::steady_clock::now();
  CHECK(server.until([&] {
    slow.send("G");
    slow.read();
    silent.read();
    return slow.ended && silent.ended;
  }));
  CHECK(std::chrono::steady_clock::now() - begin >= 200ms);
  CHECK(slow.text.empty());
}

TEST_CASE("who does not take his answer loses the connection, and keeps no one waiting") {
  Server server({.answer = 300ms});
  server.page = std::make_shared<const std::string>(32 * 1024 * 1024, 'x');
  Peer lazy(server.place.port);
  lazy.send("GET /metrics HTTP/1.1\r\n\r\n");
  CHECK(server.get("/healthz").starts_with("HTTP/1.1 200"));
  CHECK(server.until([&] { return server.server.clients() == 0; }));
  CHECK(server.page.use_count() == 1);
}

TEST_CASE("a client too many takes the place of who owes a request for the longest") {
  Server server({.request = 60s, .clients = 8});
  Peer busy(server.place.port);
  busy.send("GET /healthz HTTP/1.1\r\n\r\n");
  CHECK(
      server.until([&] { return !server.questions.empty() || (busy.read(), !busy.text.empty()); }));
  std::vector<std::unique_ptr<Peer>> idle;
  for (int number = 0; number < 100; ++number) {
    idle.push_back(std::make_unique<Peer>(server.place.port));
    CHECK(server.until([&] { return server.server.clients() > 0; }));
  }
  CHECK(server.get("/healthz").starts_with("HTTP/1.1 200"));
  CHECK(server.server.clients() <= 8);
  CHECK(server.ends(*idle.front()));
}

TEST_CASE("another listener takes over, and who is connected is served to the end") {
  Server server;
  Peer peer(server.place.port);
  peer.send("GET /healthz HTTP/1.1\r\n\r\n");
  CHECK(server.until([&] { return peer.read(), has(peer.text, "ok\n"); }));
  Server::NonBlocking other;
  server.server.listen(UniqueFd(::dup(other.fd.get())));
  peer.text.clear();
  peer.send("GET /healthz HTTP/1.1\r\n\r\n");
  CHECK(server.until([&] { return peer.read(), has(peer.text, "ok\n"); }));
  Peer next(other.port);
  next.send("GET /healthz HTTP/1.1\r\n\r\n");
  CHECK(server.until([&] { return next.read(), has(next.text, "ok\n"); }));
  server.server.listen(UniqueFd());
  CHECK(server.until([] { return true; }));
}

}  // namespace clusterd::agent
