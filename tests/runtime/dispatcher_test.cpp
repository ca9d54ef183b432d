// On real listeners, with workers whose end is played here: the worker library's own queue, without
// its loop. A connection is the number that its client wrote to it.
#include "master/runtime/dispatcher.h"

#include "tests/support/eventually.h"
#include "tests/support/native_lane.h"
#include "worker/src/offer_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <fcntl.h>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using detail::OfferQueue;
using detail::Tally;
using test::eventually;
using Numbers = std::vector<std::uint32_t>;

/// first, first + step, ...
Numbers numbers(std::uint32_t first, std::size_t count, std::uint32_t step = 1) {
  Numbers result;
  for (; result.size() < count; first += step) result.push_back(first);
  return result;
}

Numbers sorted(Numbers some, const Numbers& more) {
  some.insert(some.end(), more.begin(), more.end());
  std::sort(some.begin(), some.end());
  return some;
}

class Worker {
 public:
  Worker(std::uint32_t number, OfferLane::WorkerEnds ends)
      : child_{Role::worker, number},
        wake_(::dup(ends.wake.get())),
        tally_(std::make_shared<Tally>(ends.page.get())),
        queue_(std::in_place, std::move(ends.connections), std::move(ends.wake), tally_) {}

  [[nodiscard]] ChildId child() const { return child_; }
  [[nodiscard]] bool told_of_the_end() const { return ended_; }
  [[nodiscard]] handoff::Page& page() { return *tally_->page; }
  [[nodiscard]] OfferQueue& queue() { return *queue_; }

  /// Reads all messages and takes up to `most` connections, each of which it closes.
  /// With `tell`, as a program does that closes without a shutdown.
  Numbers take(std::size_t most = 1000, bool tell = true) {
    OfferQueue::Received received = queue_->receive();
    while (received == OfferQueue::Received::offers) received = queue_->receive();
    ended_ = received == OfferQueue::Received::ended;
    Numbers taken;
    while (taken.size() < most && queue_->front()) {
      const auto offered = queue_->take();
      REQUIRE(offered.has_value());
      if (tell) tally_->notify_master();
      std::uint32_t number = 0;
      REQUIRE(eventually(
          [&] {
            return ::recv(offered->fd.get(), &number, sizeof number, MSG_DONTWAIT) == sizeof number;
          },
          10s));
      taken.push_back(number);
    }
    return taken;
  }

  void wake_master() const { ::eventfd_write(wake_.get(), 1); }
  void die() { queue_.reset(); }

 private:
  ChildId child_;
  UniqueFd wake_;
  std::shared_ptr<Tally> tally_;
  std::optional<OfferQueue> queue_;
  bool ended_ = false;
};

struct Bench {
  explicit Bench(Dispatcher::Options options = {}, std::size_t listener_count = 1) {
    const auto any = Address::parse("127.0.0.1:0");
    REQUIRE(any.has_value());
    dispatcher.emplace(
        io, options,
        Dispatcher::Events{
            .broke_protocol = [this](ChildId child, const std::string&) { ++broke[child.number]; },
            .stalled = [this](ChildId child,
                              std::uint32_t count) { stalls[child.number] += count; },
            .accept_failed = [this](const Error& error) { failures.push_back(error.code); },
            .expired = [this](core::ListenerIndex, std::uint64_t count) { expired += count; }});
    for (core::ListenerIndex index = 0; index < listener_count; ++index) {
      auto listener = os::Listener::open(*any, 1024);
      REQUIRE(listener.has_value());
      listeners.push_back(std::move(*listener));
      REQUIRE(dispatcher->add_listener(index, listeners.back()).has_value());
    }
  }

  Worker& join(std::uint32_t number, const std::vector<core::ListenerIndex>& serves = {0}) {
    auto ends = test::join_native(*dispatcher, {Role::worker, number});
    REQUIRE(ends.has_value());
    workers.emplace_back(number, std::move(*ends));
    for (const core::ListenerIndex index : serves) dispatcher->serve(workers.back().child(), index);
    return workers.back();
  }
  Worker& enter(std::uint32_t number, const std::vector<core::ListenerIndex>& serves = {0}) {
    Worker& worker = join(number, serves);
    dispatcher->enter_rotation(worker.child());
    return worker;
  }
  void die(Worker& worker) {
    worker.die();
    dispatcher->forget(worker.child());
    settle();
  }

  /// Clients connect, each writing its number; the loop does not run.
  void connect(std::uint32_t first, std::uint32_t count, core::ListenerIndex index = 0) {
    const Address& address = listeners[index].address();
    const std::uint32_t before = listeners[index].waiting();
    for (std::uint32_t number = first; number < first + count; ++number) {
      UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      REQUIRE(::connect(fd.get(), address.data(), address.size()) == 0);
      REQUIRE(::send(fd.get(), &number, sizeof number, 0) == sizeof number);
      clients[number] = std::move(fd);
    }
    REQUIRE(eventually([&] { return listeners[index].waiting() == before + count; }, 10s));
  }

  /// Runs the loop until nothing is left to do.
  void settle() {
    do io.restart();
    while (io.poll() > 0);
  }
  void offer(std::uint32_t first, std::uint32_t count, core::ListenerIndex index = 0) {
    connect(first, count, index);
    settle();
  }
  bool comes(auto&& fact) {
    return eventually(
        [&] {
          settle();
          return fact();
        },
        10s);
  }
  /// Takes until `count` were taken, letting the dispatcher see it in between.
  Numbers take_all(Worker& worker, std::size_t count) {
    Numbers taken;
    CHECK(comes([&] {
      const Numbers more = worker.take();
      taken.insert(taken.end(), more.begin(), more.end());
      return taken.size() >= count;
    }));
    return taken;
  }

  bool client_is_served(std::uint32_t number) {
    char byte = 0;
    return ::recv(clients.at(number).get(), &byte, 1, MSG_DONTWAIT) == 0;
  }
  bool client_waits(std::uint32_t number) {
    char byte = 0;
    return ::recv(clients.at(number).get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }
  bool all_served() {
    return std::all_of(clients.begin(), clients.end(),
                       [this](const auto& entry) { return client_is_served(entry.first); });
  }

  boost::asio::io_context io;
  std::deque<os::Listener> listeners;
  std::map<std::uint32_t, int> broke;
  std::map<std::uint32_t, std::uint32_t> stalls;
  std::vector<std::error_code> failures;
  std::uint64_t expired = 0;
  std::optional<Dispatcher> dispatcher;
  std::deque<Worker> workers;
  std::map<std::uint32_t, UniqueFd> clients;
};

}  // namespace

TEST_CASE("connections go to the workers in strict turns") {
  Bench bench;
  Worker& one = bench.enter(1);
  Worker& two = bench.enter(2);
  Worker& three = bench.enter(3);
  bench.offer(0, 30);
  CHECK(one.take() == numbers(0, 10, 3));
  CHECK(two.take() == numbers(1, 10, 3));
  CHECK(three.take() == numbers(2, 10, 3));
  bench.settle();
  CHECK(bench.all_served());
  CHECK(bench.dispatcher->accepted(0) == 30);
}

TEST_CASE("nothing is accepted before a worker is in the rotation and serves the listener") {
  Bench bench;
  bench.offer(0, 3);
  CHECK(bench.listeners[0].waiting() == 3);
  Worker& worker = bench.join(1, {});
  bench.settle();
  CHECK(bench.listeners[0].waiting() == 3);
  bench.dispatcher->enter_rotation(worker.child());
  bench.settle();
  CHECK(bench.listeners[0].waiting() == 3);
  bench.dispatcher->serve(worker.child(), 0);
  bench.settle();
  CHECK(bench.listeners[0].waiting() == 0);
  CHECK(worker.take() == numbers(0, 3));
}

TEST_CASE("what nobody has credit for stays in the kernel's queue, and comes as credit does") {
  Bench bench({.window = 2});
  Worker& one = bench.enter(1);
  Worker& two = bench.enter(2);
  bench.offer(0, 10);
  CHECK(bench.listeners[0].waiting() == 6);
  CHECK(bench.dispatcher->accepted(0) == 4);
  CHECK(bench.dispatcher->status(one.child()).pending == 2);
  CHECK(one.take(1) == Numbers{0});
  bench.settle();
  CHECK(bench.listeners[0].waiting() == 5);
  CHECK(two.take(1) == Numbers{1});
  bench.settle();
  CHECK(bench.listeners[0].waiting() == 4);
  CHECK(one.take(1) == Numbers{2});
  bench.settle();
  Numbers rest;
  CHECK(bench.comes([&] {
    rest = sorted(rest, sorted(one.take(), two.take()));
    return rest.size() == 7;
  }));
  CHECK(rest == numbers(3, 7));
  bench.settle();
  CHECK(bench.all_served());
}

TEST_CASE("each listener has its own turns, and only those who serve it") {
  Bench bench({}, 2);
  Worker& both = bench.enter(1, {0, 1});
  Worker& first = bench.enter(2, {0});
  bench.offer(0, 4, 0);
  bench.offer(100, 4, 1);
  CHECK(both.take() == Numbers{0, 2, 100, 101, 102, 103});
  CHECK(first.take() == Numbers{1, 3});
  CHECK(bench.dispatcher->accepted(0) == 4);
  CHECK(bench.dispatcher->accepted(1) == 4);
}

TEST_CASE("a client sees its end at once though the master sleeps") {
  Bench bench;
  Worker& worker = bench.enter(1);
  bench.offer(0, 3);
  for (std::uint32_t number = 0; number < 3; ++number) {
    CHECK(worker.take(1) == Numbers{number});
    bench.settle();
    CHECK(bench.client_is_served(number));
  }
  CHECK(bench.dispatcher->status(worker.child()).taken == 3);
}

TEST_CASE("the copy of a connection that was taken goes soon, though nobody says so") {
  Bench bench;
  Worker& worker = bench.enter(1);
  bench.offer(1, 3);
  CHECK(worker.take(1000, false) == Numbers{1, 2, 3});
  bench.settle();
  CHECK_FALSE(bench.client_is_served(3));
  CHECK(bench.comes([&] { return bench.all_served(); }));
}

TEST_CASE("one that waits for room hears of a take at once") {
  Bench bench({.window = 2});
  Worker& worker = bench.enter(1);
  bench.offer(1, 4);
  CHECK(worker.take(1, false) == Numbers{1});
  bench.settle();  // no timer has run out
  CHECK(worker.take(1000, false) == Numbers{2, 3});
}

TEST_CASE("what a dead worker had not taken goes to the others") {
  Bench bench;
  Worker& dies = bench.enter(1);
  Worker& lives = bench.enter(2);
  bench.offer(0, 10);
  CHECK(dies.take(2) == Numbers{0, 2});
  bench.die(dies);
  CHECK(sorted(lives.take(), {}) == Numbers{1, 3, 4, 5, 6, 7, 8, 9});
  bench.settle();
  CHECK(bench.all_served());
  CHECK(bench.dispatcher->accepted(0) == 10);
}

TEST_CASE("what the only worker had not taken waits, in its order, for the next") {
  Bench bench;
  bench.offer(0, 3);
  Worker& dies = bench.enter(1);
  bench.settle();
  bench.die(dies);
  CHECK(bench.dispatcher->waiting(0) == 3);
  bench.offer(3, 2);
  CHECK(bench.listeners[0].waiting() == 2);
  for (std::uint32_t number = 0; number < 5; ++number) CHECK(bench.client_waits(number));
  Worker& next = bench.enter(2);
  bench.settle();
  CHECK(next.take() == numbers(0, 5));
  CHECK(bench.dispatcher->waiting(0) == 0);
}

TEST_CASE("a worker that closed its socket gets nothing more, and nothing is lost with it") {
  Bench bench;
  Worker& closed = bench.enter(1);
  Worker& open = bench.enter(2);
  bench.offer(0, 2);
  closed.die();
  bench.offer(2, 6);
  CHECK(sorted(open.take(), {}) == Numbers{1, 2, 3, 4, 5, 6, 7});
  bench.dispatcher->forget(closed.child());
  bench.settle();
  CHECK(open.take() == Numbers{0});
}

TEST_CASE("what a stalled worker does not take goes to the others, until it moves again") {
  // Longer than the test itself may be off its CPU between two of its steps.
  Bench bench({.stall_timeout = 500ms});
  Worker& stalled = bench.enter(1);
  Worker& busy = bench.enter(2);
  bench.offer(0, 6);
  CHECK(stalled.take(1) == Numbers{0});
  CHECK(busy.take() == Numbers{1, 3, 5});
  CHECK(bench.take_all(busy, 2) == Numbers{2, 4});
  CHECK(bench.stalls == std::map<std::uint32_t, std::uint32_t>{{1, 2}});
  bench.offer(6, 2);
  CHECK(busy.take() == Numbers{6, 7});

  CHECK(stalled.take().empty());
  bench.settle();
  bench.offer(8, 4);
  CHECK(stalled.take().size() == 1);  // its window is one now
  CHECK(busy.take().size() == 3);
  bench.settle();
  CHECK(bench.all_served());
  CHECK(bench.broke.empty());
}

TEST_CASE("a stalled worker keeps what nobody else could take") {
  Bench bench({.stall_timeout = 10ms}, 2);
  Worker& stalled = bench.enter(1, {0, 1});
  bench.enter(2, {0});
  bench.offer(0, 2, 1);
  const TimePoint begin = Clock::now();
  CHECK(bench.comes([&] { return Clock::now() > begin + 50ms; }));
  CHECK(bench.stalls.empty());
  CHECK(stalled.take() == Numbers{0, 1});
}

TEST_CASE("a worker that leaves is told so in band, and the others get what it had not taken") {
  Bench bench;
  Worker& leaves = bench.enter(1);
  Worker& stays = bench.enter(2);
  bench.offer(0, 6);
  CHECK(leaves.take(1) == Numbers{0});
  bench.dispatcher->leave_rotation(leaves.child());
  bench.offer(6, 2);
  CHECK(leaves.take().empty());
  CHECK(leaves.told_of_the_end());
  CHECK(sorted(stays.take(), {}) == numbers(1, 7));
}

TEST_CASE("what the only worker had not taken when it left waits for its successor") {
  Bench bench;
  Worker& leaves = bench.enter(1);
  bench.offer(0, 3);
  CHECK(leaves.take(1) == Numbers{0});
  bench.dispatcher->leave_rotation(leaves.child());
  CHECK(leaves.take().empty());
  CHECK(leaves.told_of_the_end());
  Worker& comes = bench.enter(2);
  bench.settle();
  CHECK(comes.take() == numbers(1, 2));
}

TEST_CASE("what a worker refuses goes to others, until it has thrown its copies away") {
  Bench bench;
  Worker& refuses = bench.enter(1);
  Worker& other = bench.enter(2);
  bench.offer(0, 6);
  CHECK(refuses.take(1) == Numbers{0});
  bench.dispatcher->refuse(refuses.child());
  bench.offer(6, 2);
  CHECK(sorted(other.take(), {}) == numbers(1, 7));

  refuses.queue().revoked();
  CHECK(refuses.take().empty());
  CHECK(bench.comes([&] {
    bench.offer(static_cast<std::uint32_t>(bench.clients.size()), 1);
    other.take();
    return !refuses.take().empty();
  }));
}

TEST_CASE("at the stop the kernel's queue is emptied, and each worker is told of the end last") {
  Bench bench({.window = 4});
  Worker& one = bench.enter(1);
  Worker& two = bench.enter(2);
  bench.connect(0, 200);
  bench.dispatcher->stop_accepting();
  CHECK_FALSE(bench.listeners[0].is_open());
  CHECK(bench.dispatcher->accepted(0) == 200);
  bench.dispatcher->leave_rotation(one.child());
  bench.dispatcher->leave_rotation(two.child());
  Numbers taken;
  CHECK(bench.comes([&] {
    taken = sorted(taken, sorted(one.take(), two.take()));
    return one.told_of_the_end() && two.told_of_the_end();
  }));
  CHECK(taken == numbers(0, 200));
  bench.settle();
  CHECK(bench.all_served());
}

TEST_CASE("at the stop nobody waits for a connection that no worker serves") {
  Bench bench({}, 2);
  Worker& stays = bench.enter(1, {0});
  Worker& dies = bench.enter(2, {1});
  bench.offer(0, 1, 1);
  bench.die(dies);
  REQUIRE(bench.dispatcher->waiting(1) == 1);
  bench.dispatcher->stop_accepting();
  bench.dispatcher->leave_rotation(stays.child());
  bench.settle();
  CHECK(stays.take().empty());
  CHECK(stays.told_of_the_end());
}

TEST_CASE("a worker that lies on its page is given up, and what it was offered is not lost") {
  Bench bench;
  Worker& liar = bench.enter(1);
  Worker& honest = bench.enter(2);
  bench.offer(0, 4);
  liar.page().window.store(handoff::Window{2, 1000}.pack());
  liar.wake_master();
  CHECK(bench.comes([&] { return bench.broke[1] > 0; }));
  bench.offer(4, 2);
  CHECK(honest.take() == Numbers{1, 3, 4, 5});
  bench.die(liar);
  CHECK(sorted(honest.take(), {}) == Numbers{0, 2});
  CHECK(bench.broke[1] == 1);
}

TEST_CASE("a worker that only ever wakes the master is given up") {
  Bench bench;
  SUBCASE("in the rotation") { bench.enter(1); }
  SUBCASE("before it is ready") { bench.join(1); }
  for (int wake = 0; wake < 20'000 && bench.broke.empty(); ++wake) {
    bench.workers.front().wake_master();
    bench.settle();
  }
  CHECK(bench.broke[1] == 1);
}

TEST_CASE("where descriptors run out accepting pauses, and goes on") {
  Bench bench;
  Worker& worker = bench.enter(1);
  bench.connect(0, 3);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlim_t end = 0;
  while (::fcntl(static_cast<int>(end), F_GETFD) >= 0) ++end;
  const rlimit none{end, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  bench.settle();
  const bool at_rest = bench.io.poll() == 0;
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(at_rest);
  REQUIRE_FALSE(bench.failures.empty());
  CHECK(bench.failures.front() == std::errc::too_many_files_open);
  CHECK(bench.listeners[0].waiting() == 3);
  CHECK(bench.take_all(worker, 3) == numbers(0, 3));
}

}  // namespace clusterd::runtime
