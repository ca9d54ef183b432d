#include "master/runtime/dispatcher.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <doctest/doctest.h>

#include <optional>
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
  auto ends = served.dispatcher->join({Role::worker, 1});
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

}  // namespace clusterd::runtime
