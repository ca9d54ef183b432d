// Listeners of two generations in one dispatcher: nobody who was accepted for one of them is lost
// when its workers go.
#include "common/handoff.h"
#include "master/runtime/dispatcher.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/native_lane.h"
#include "worker/src/offer_queue.h"

#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using detail::OfferQueue;
using detail::Tally;
using test::Client;

constexpr ChildId kOld{Role::worker, 1};
constexpr ChildId kNew{Role::worker, 2};

struct Worker {
  explicit Worker(OfferLane::WorkerEnds ends)
      : tally(std::make_shared<Tally>(ends.page.get())),
        queue(std::move(ends.connections), std::move(ends.wake), tally) {}

  /// Takes all that it was offered, and gives how many of them are the listener's.
  unsigned take(core::ListenerIndex listener) {
    OfferQueue::Received received = queue.receive();
    while (received == OfferQueue::Received::offers) received = queue.receive();
    ended = received == OfferQueue::Received::ended;
    unsigned count = 0;
    while (queue.front()) {
      const auto offered = queue.take();
      if (offered && offered->offer.listener == listener) ++count;
    }
    return count;
  }

  std::shared_ptr<Tally> tally;
  OfferQueue queue;
  bool ended = false;
};

/// The old worker serves listener 0. Listener 1 is on the same socket, and nobody serves it yet.
struct Bench {
  explicit Bench(Duration queue_timeout = 0s) {
    auto opened = os::Listener::open(*Address::parse("127.0.0.1:0"), 64);
    REQUIRE(opened.has_value());
    listeners.push_back(std::move(*opened));
    os::ListenerSpec spec;
    spec.backlog = 32;
    auto shared = listeners.front().share(spec);
    REQUIRE(shared.has_value());
    listeners.push_back(std::move(*shared));
    dispatcher.emplace(
        io, Dispatcher::Options{.window = 4},
        Dispatcher::Events{
            .broke_protocol = [](ChildId, const std::string&) {},
            .stalled = [](ChildId, std::uint32_t) {},
            .accept_failed = [](const Error&) {},
            .expired = [this](core::ListenerIndex, std::uint64_t count) { expired += count; }});
    REQUIRE(dispatcher->add_listener(0, listeners[0], config::Policy::round_robin, queue_timeout)
                .has_value());
    REQUIRE(dispatcher->add_listener(1, listeners[1], config::Policy::round_robin, queue_timeout)
                .has_value());
  }

  Worker& enter(ChildId child, core::ListenerIndex listener) {
    auto ends = test::join_native(*dispatcher, child);
    REQUIRE(ends.has_value());
    workers.emplace_back(std::move(*ends));
    dispatcher->serve(child, listener);
    dispatcher->enter_rotation(child);
    return workers.back();
  }
  void connect(unsigned count) {
    for (; count > 0; --count) clients.emplace_back(listeners[0].address().port());
    settle();
  }
  void settle() {
    do io.restart();
    while (io.poll() > 0);
  }
  /// Takes until `count` of the listener's were taken.
  bool takes(Worker& worker, core::ListenerIndex listener, unsigned count) {
    unsigned taken = 0;
    return test::eventually(
        [&] {
          settle();
          taken += worker.take(listener);
          return taken == count;
        },
        10s);
  }

  boost::asio::io_context io;
  std::deque<os::Listener> listeners;
  std::optional<Dispatcher> dispatcher;
  std::deque<Worker> workers;
  std::deque<Client> clients;
  std::uint64_t expired = 0;
};

}  // namespace

TEST_CASE("what the last old worker had not taken goes to the new one's listener") {
  Bench bench;
  Worker& old_one = bench.enter(kOld, 0);
  bench.connect(4);
  Worker& new_one = bench.enter(kNew, 1);
  bench.dispatcher->leave_rotation(kOld);
  bench.settle();
  CHECK(old_one.take(0) == 0);
  CHECK(old_one.ended);
  CHECK(bench.takes(new_one, 1, 4));
}

TEST_CASE("the last worker of a listener that goes takes what had come, and is then told") {
  Bench bench;
  Worker& old_one = bench.enter(kOld, 0);
  bench.dispatcher->remove_listener(1);
  bench.listeners[1].close();
  bench.connect(10);  // more than its window
  bench.dispatcher->suspend_listener(0);
  bench.dispatcher->leave_rotation(kOld);
  CHECK(bench.takes(old_one, 0, 10));
  CHECK(test::eventually(
      [&] {
        bench.settle();
        (void)old_one.take(0);
        return old_one.ended;
      },
      10s));
  bench.dispatcher->close_listener(0);
  CHECK(Client(bench.listeners[0].address().port()).refused());
}

TEST_CASE("queue_timeout does not run where another generation serves the socket") {
  Bench bench(40ms);
  Worker& new_one = bench.enter(kNew, 1);
  const auto end = Clock::now() + 400ms;
  unsigned connected = 0;
  unsigned taken = 0;
  CHECK(test::eventually(
      [&] {
        // It is always behind, so that somebody is in the kernel's queue whenever that is looked
        // at.
        while (connected < taken + 8) {
          bench.clients.emplace_back(bench.listeners[0].address().port());
          ++connected;
        }
        while (bench.clients.size() > 64) bench.clients.pop_front();
        bench.settle();
        taken += new_one.take(1);
        return Clock::now() > end;
      },
      20s));
  CHECK(bench.expired == 0);
  CHECK(bench.takes(new_one, 1, connected - taken));
}

}  // namespace clusterd::runtime
