#include "common/unique_fd.h"
#include "master/runtime/dispatcher.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/native_lane.h"

#include <doctest/doctest.h>

#include <optional>
#include <sys/socket.h>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using test::Reply;

/// A listener and nobody who serves it.
struct Bench {
  Bench(config::Policy policy, Duration queue_timeout) {
    auto opened = os::Listener::open(*Address::parse("127.0.0.1:0"), 64);
    REQUIRE(opened.has_value());
    listener.emplace(std::move(*opened));
    dispatcher.emplace(
        io, Dispatcher::Options{},
        Dispatcher::Events{
            .broke_protocol = [](ChildId, const std::string&) {},
            .stalled = [](ChildId, std::uint32_t) {},
            .accept_failed = [](const Error&) {},
            .expired = [this](core::ListenerIndex, std::uint64_t count) { expired += count; }});
    REQUIRE(dispatcher->add_listener(0, *listener, policy, queue_timeout).has_value());
  }

  [[nodiscard]] std::uint16_t port() const { return listener->address().port(); }

  boost::asio::io_context io;
  std::optional<os::Listener> listener;
  std::optional<Dispatcher> dispatcher;
  std::uint64_t expired = 0;
};

}  // namespace

TEST_CASE("with nobody ready, connections that waited for queue_timeout are reset and counted") {
  for (const auto policy : {config::Policy::round_robin, config::Policy::accept_race}) {
    CAPTURE(static_cast<int>(policy));
    Bench bench(policy, 100ms);
    std::vector<test::Client> clients;
    for (int i = 0; i < 3; ++i) clients.emplace_back(bench.port());
    CHECK(test::eventually(
        [&] {
          bench.io.poll();
          return bench.expired == 3;
        },
        10s));
    for (auto& client : clients) CHECK(client.read_to_end(10s).kind == Reply::Kind::reset);
    CHECK(bench.dispatcher->expired(0) == 3);
    CHECK(bench.listener->waiting() == 0);
  }
}

TEST_CASE("without queue_timeout, and while somebody serves, nobody is reset") {
  Bench waits(config::Policy::round_robin, 0s);
  const test::Client patient(waits.port());
  Bench served(config::Policy::round_robin, 20ms);
  auto ends = test::join_native(*served.dispatcher, {Role::worker, 1});
  REQUIRE(ends.has_value());
  served.dispatcher->serve({Role::worker, 1}, 0);
  served.dispatcher->enter_rotation({Role::worker, 1});
  const test::Client offered(served.port());
  Bench other(config::Policy::round_robin, 100ms);
  const test::Client impatient(other.port());
  REQUIRE(test::eventually(
      [&] {
        waits.io.poll();
        served.io.poll();
        other.io.poll();
        return other.expired == 1;
      },
      10s));
  CHECK(waits.expired == 0);
  CHECK(served.expired == 0);
}

TEST_CASE("who comes after a worker was there for a moment waits for queue_timeout as well") {
  using std::chrono::steady_clock;
  constexpr auto kTimeout = 400ms;
  Bench bench(config::Policy::accept_race, kTimeout);
  const test::Client first(bench.port());
  const test::Client second(bench.port());
  const auto has_looked = [&, start = steady_clock::now()] {
    bench.io.poll();
    return steady_clock::now() - start > kTimeout / 8 + 10ms;
  };
  REQUIRE(test::eventually(has_looked, 10s));
  constexpr ChildId kWorker{Role::worker, 1};
  auto ends = test::join_native(*bench.dispatcher, kWorker);
  REQUIRE(ends.has_value());
  bench.dispatcher->serve(kWorker, 0);
  bench.dispatcher->enter_rotation(kWorker);
  for (int taken = 0; taken < 2; ++taken) {
    const UniqueFd connection(::accept4(bench.listener->fd(), nullptr, nullptr, SOCK_CLOEXEC));
    CHECK(connection.get() >= 0);
  }
  bench.dispatcher->leave_rotation(kWorker);
  const auto began = steady_clock::now();
  const test::Client third(bench.port());
  const test::Client fourth(bench.port());
  CHECK(test::eventually(
      [&] {
        bench.io.poll();
        return bench.expired > 0;
      },
      10s));
  CHECK(steady_clock::now() - began >= kTimeout);
  CHECK(bench.expired == 2);
}

}  // namespace clusterd::runtime
