// The load of these tests against servers that are known to be wrong: each connection must end up
// in the class that says what happened to it, or the other tests would find nothing.
#include "common/unique_fd.h"
#include "tests/support/eventually.h"
#include "tests/support/load.h"
#include "tests/support/local_server.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <utility>

using namespace clusterd::test;
using namespace std::chrono_literals;
using clusterd::UniqueFd;
using Kind = Outcome::Kind;

namespace {

/// Ten connections of a load; `serve` gets each with its request, and the connection is closed.
LoadReport ten(const std::function<void(int fd, const std::string& request)>& serve) {
  LocalServer server;
  Load load(server.port, {.clients = 3, .most = 10, .patience = 5s});
  for (int count = 0; count < 10; ++count) {
    const UniqueFd connection(::accept4(server.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char request[1024];
    const ssize_t got = ::recv(connection.get(), request, sizeof request, 0);
    REQUIRE(got > 0);
    serve(connection.get(), {request, static_cast<std::size_t>(got)});
  }
  const LoadReport report = load.finish();
  CHECK(report.begun == 10);
  CHECK(report.outcomes.size() == 10);
  return report;
}

void send_text(int fd, const std::string& text) {
  (void)!::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

std::string answer(const std::string& id) {
  const std::string body = "pid is 17\nid is " + id + "\n";
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string id_of(const std::string& request) {
  return request.substr(5, request.find(' ', 5) - 5);
}

}  // namespace

TEST_CASE("load: an answer with the request's id is done, with another's id it is wrong") {
  const auto right = ten([](int fd, const std::string& asked) {
    const std::string text = answer(id_of(asked));
    send_text(fd, text.substr(0, 30));
    send_text(fd, text.substr(30));
  });
  CHECK(right.done() == 10);
  CHECK(right.by_worker()[17] == 10);
  CHECK(right.sound());
  const auto wrong = ten([last = std::string("1")](int fd, const std::string& asked) mutable {
    send_text(fd, answer(std::exchange(last, id_of(asked))));
  });
  CHECK(wrong.count(Kind::wrong_id) == 10);
  CHECK_FALSE(wrong.sound());
}

TEST_CASE("load: a reset, an end without an answer and half an answer are resets") {
  int count = 0;
  const auto report = ten([&count](int fd, const std::string& asked) {
    if (++count % 3 == 0) return;
    if (count % 3 == 1) return send_text(fd, answer(id_of(asked)).substr(0, 45));
    const linger at_once{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  });
  CHECK(report.count(Kind::reset) == 10);
  CHECK(report.lost() == 10);
}

TEST_CASE("load: who is not answered in time is unanswered, and who is refused is refused") {
  LocalServer silent;
  const LoadReport unanswered =
      Load(silent.port, {.clients = 5, .most = 10, .patience = 50ms}).finish();
  CHECK(unanswered.count(Kind::unanswered) == 10);
  CHECK(unanswered.lost() == 10);
  silent.fd.reset();
  Load load(silent.port);
  CHECK(eventually([&] { return load.ended() > 0; }, 20s));
  const LoadReport refused = load.stop();
  CHECK(refused.begun > 0);
  CHECK(refused.count(Kind::refused) == refused.begun);
}

TEST_CASE("load: an open loop goes on at its rate while the server stands still") {
  LocalServer silent;
  const auto begin = std::chrono::steady_clock::now();
  Load load(silent.port, {.clients = 3, .rate = 200, .patience = 500ms});
  REQUIRE(eventually([&] { return load.ended() >= 55; }, 20s));
  const LoadReport report = load.stop();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  CHECK(static_cast<double>(report.begun) <= 200 * time.count() + 1);
  // Those that were due before one could be given up. In a closed loop it were three.
  const auto first = report.outcomes.front().at;
  const auto early = std::count_if(report.outcomes.begin(), report.outcomes.end(),
                                   [&](const auto& one) { return one.at - one.took < first; });
  CHECK(early >= 55);
  CHECK(report.count(Kind::unanswered) == report.begun);
  CHECK(report.percentile(0.99) == std::chrono::microseconds::max());
}
