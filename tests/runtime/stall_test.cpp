// A worker that takes, but too slowly, keeps nothing from the others. The workers' end is played
// here: the worker library's own queue, without its loop.
#include "master/runtime/dispatcher.h"
#include "tests/support/eventually.h"
#include "tests/support/native_lane.h"
#include "worker/src/offer_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <sys/socket.h>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using detail::OfferQueue;
using test::eventually;

constexpr Duration kStall = 400ms;

struct Worker {
  Worker(Dispatcher& dispatcher, std::uint32_t number) : child{Role::worker, number} {
    auto ends = test::join_native(dispatcher, child);
    REQUIRE(ends.has_value());
    auto tally = std::make_shared<detail::Tally>(ends->page.get());
    queue.emplace(std::move(ends->connections), std::move(ends->wake), tally);
    dispatcher.serve(child, 0);
    dispatcher.enter_rotation(child);
  }

  std::size_t take(std::size_t most) {
    while (queue->receive() == OfferQueue::Received::offers) {
    }
    std::size_t count = 0;
    for (; count < most && queue->front(); ++count) REQUIRE(queue->take().has_value());
    return count;
  }

  ChildId child;
  std::optional<OfferQueue> queue;
};

struct Bench {
  Bench() {
    const auto any = Address::parse("127.0.0.1:0");
    auto opened = os::Listener::open(*any, 1024);
    REQUIRE(opened.has_value());
    listener.emplace(std::move(*opened));
    REQUIRE(dispatcher.add_listener(0, *listener).has_value());
  }

  void connect(std::size_t count) {
    for (std::size_t client = 0; client < count; ++client) {
      clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const Address& address = listener->address();
      REQUIRE(::connect(clients.back().get(), address.data(), address.size()) == 0);
    }
    REQUIRE(eventually([this] { return listener->waiting() > 0; }, 10s));
  }

  void settle() {
    do io.restart();
    while (io.poll() > 0);
  }

  boost::asio::io_context io;
  std::optional<os::Listener> listener;
  std::vector<std::uint32_t> stalls;
  Dispatcher dispatcher{
      io,
      {.window = 16, .stall_timeout = kStall},
      {.broke_protocol = [](ChildId, const std::string& how) { FAIL(how); },
       .stalled = [this](ChildId, std::uint32_t count) { stalls.push_back(count); },
       .accept_failed = [](const Error& error) { FAIL(error.message()); },
       .expired = [](core::ListenerIndex, std::uint64_t) {}}};
  std::vector<UniqueFd> clients;
};

}  // namespace

TEST_CASE("what a slow worker leaves lying goes to others, though it goes on taking") {
  Bench bench;
  Worker slow(bench.dispatcher, 1);
  Worker idle(bench.dispatcher, 2);
  bench.connect(24);
  bench.settle();
  REQUIRE(bench.dispatcher.status(slow.child).pending == 12);
  const TimePoint begin = Clock::now();
  TimePoint takes_at = begin;
  std::size_t by_slow = 0;
  std::size_t by_idle = 0;
  CHECK(eventually(
      [&] {
        bench.settle();
        by_idle += idle.take(100);
        if (Clock::now() >= takes_at && bench.stalls.empty()) {
          takes_at = Clock::now() + kStall / 4;
          by_slow += slow.take(1);
        }
        return by_slow + by_idle == 24;
      },
      30s));
  // The twelve would have taken it three timeouts.
  REQUIRE(bench.stalls.size() == 1);
  CHECK(bench.stalls[0] == 12 - by_slow);
  CHECK(by_slow >= 1);
  CHECK(by_slow <= 8);

  // It gets as many as it takes in half of the time, and the other the rest.
  slow.take(100);
  bench.settle();
  bench.connect(24);
  bench.settle();
  CHECK(bench.dispatcher.status(slow.child).pending == std::max<std::size_t>(1, by_slow / 2));
  CHECK(slow.take(100) + idle.take(100) >= 17);
}

}  // namespace clusterd::runtime
