#include "master/runtime/offer_lane.h"

#include "tests/support/eventually.h"
#include "worker/src/offer_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <clusterd/worker.hpp>
#include <deque>
#include <fcntl.h>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <optional>
#include <random>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::runtime {

static doctest::String toString(OfferLane::Sent sent) {
  constexpr const char* kNames[] = {"all", "full", "broken"};
  return kNames[static_cast<int>(sent)];
}

namespace {

using namespace std::chrono_literals;
using core::OfferLedger;
using detail::OfferQueue;
using detail::Tally;
using handoff::Window;
using Sent = OfferLane::Sent;
using Received = OfferQueue::Received;
using State = OfferLedger::State;
using Numbers = std::vector<std::uint32_t>;

constexpr TimePoint kNow{1h};

OfferLane make_lane(std::uint32_t window) {
  auto lane = OfferLane::create(window);
  REQUIRE(lane.has_value());
  return std::move(*lane);
}

/// Both ends of a lane. Connections are numbers here: each one's client wrote its own to it.
struct Both {
  explicit Both(std::uint32_t window = 16) : ledger(window), lane(make_lane(window)) {
    auto ends = lane.take_worker_ends();
    tally = std::make_shared<Tally>(ends.page.get());
    worker.emplace(std::move(ends.connections), std::move(ends.wake), tally);
  }

  Accepted connect(std::uint32_t number) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    clients[number].reset(ends[0]);
    REQUIRE(::send(ends[0], &number, sizeof number, 0) == sizeof number);
    return {UniqueFd(ends[1]), {number % handoff::kMaxListeners, {}}};
  }

  void add(Accepted connection) {
    ledger.offer(kNow);
    lane.add(std::move(connection));
  }
  void add(std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t number = first; number < first + count; ++number) add(connect(number));
  }
  Sent send() { return lane.send(ledger, back); }
  void offer(std::uint32_t first, std::uint32_t count) {
    add(first, count);
    REQUIRE(send() == Sent::all);
  }

  /// All messages that are there.
  Received receive() {
    Received received = worker->receive();
    while (received == Received::offers) received = worker->receive();
    return received;
  }
  /// Takes up to `most`; closes each at once.
  Numbers take(std::size_t most = 1000) {
    Numbers numbers;
    while (numbers.size() < most) {
      const auto listener = worker->front();
      if (!listener) break;
      const auto offered = worker->take();
      REQUIRE(offered.has_value());
      numbers.push_back(number_in(offered->fd.get()));
      CHECK(*listener == numbers.back() % handoff::kMaxListeners);
    }
    return numbers;
  }
  /// The master looks whether it may offer again.
  bool reopens() {
    if (!ledger.dropped(lane.page().dropped.load())) return false;
    lane.reopen(ledger);
    return true;
  }
  Numbers take_back() {
    REQUIRE(lane.revoke(ledger, kNow, back));
    return came_back();
  }
  Numbers came_back() {
    Numbers numbers;
    for (; !back.empty(); back.pop_front()) numbers.push_back(number_in(back.front().fd.get()));
    return numbers;
  }

  static std::uint32_t number_in(int fd) {
    std::uint32_t number = 0;
    REQUIRE(::recv(fd, &number, sizeof number, MSG_DONTWAIT | MSG_PEEK) == sizeof number);
    return number;
  }
  bool client_sees_end(std::uint32_t number) {
    char byte = 0;
    const ssize_t got = ::recv(clients[number].get(), &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno == ECONNRESET);  // its number was left unread
  }
  bool master_was_woken() {
    eventfd_t count = 0;
    return ::eventfd_read(lane.wake_fd(), &count) == 0;
  }

  OfferLedger ledger;
  OfferLane lane;
  std::shared_ptr<Tally> tally;
  std::optional<OfferQueue> worker;
  std::deque<Accepted> back;
  std::map<std::uint32_t, UniqueFd> clients;
};

Numbers numbers_from(std::uint32_t first, std::uint32_t count) {
  Numbers numbers;
  for (std::uint32_t number = first; number < first + count; ++number) numbers.push_back(number);
  return numbers;
}

}  // namespace

TEST_CASE("connections are taken in the order they were offered in") {
  Both both;
  both.offer(0, 1);
  both.offer(1, 4);
  both.offer(5, 3);
  CHECK(both.receive() == Received::nothing);
  CHECK(both.take() == numbers_from(0, 8));
  CHECK(both.take().empty());
  CHECK(both.lane.collect(both.ledger, kNow, both.back) == 8U);
  CHECK(both.lane.collect(both.ledger, kNow, both.back) == 0U);
  CHECK(both.ledger.pending() == 0);
}

TEST_CASE("more than a message holds goes in several") {
  Both both(150);
  both.add(0, 150);
  CHECK(both.lane.unsent() == 150);
  REQUIRE(both.send() == Sent::all);
  CHECK(both.lane.unsent() == 0);
  for (const std::size_t count : {64U, 64U, 22U}) {
    CHECK(both.worker->receive() == Received::offers);
    CHECK(both.take().size() == count);
  }
  CHECK(both.worker->receive() == Received::nothing);
  CHECK(both.lane.collect(both.ledger, kNow, both.back) == 150U);
}

TEST_CASE("the client's address comes with its connection") {
  Both both;
  sockaddr_storage address{};
  auto& in6 = reinterpret_cast<sockaddr_in6&>(address);
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(4321);
  in6.sin6_addr.s6_addr[0] = 0x20;
  in6.sin6_addr.s6_addr[15] = 0x07;
  Accepted connection = both.connect(5);
  connection.offer.peer = handoff::to_peer(address);
  both.add(std::move(connection));
  REQUIRE(both.send() == Sent::all);
  both.receive();
  REQUIRE(both.worker->front() == 5U);
  const auto taken = both.worker->take();
  REQUIRE(taken.has_value());
  CHECK(taken->offer.listener == 5);
  CHECK(taken->offer.peer.family == AF_INET6);
  CHECK(taken->offer.peer.port == 4321);
  CHECK(taken->offer.peer.address[0] == 0x20);
  CHECK(taken->offer.peer.address[15] == 0x07);
}

TEST_CASE("a client sees its end once the worker has closed and the master has collected") {
  Both both;
  both.offer(0, 2);
  both.receive();
  CHECK(both.take(1) == Numbers{0});
  CHECK_FALSE(both.client_sees_end(0));
  CHECK(both.lane.collect(both.ledger, kNow, both.back) == 1U);
  CHECK(both.client_sees_end(0));
  CHECK_FALSE(both.client_sees_end(1));
}

TEST_CASE("a revoke gives back what was not taken, oldest first, before what waits already") {
  Both both;
  both.offer(0, 5);
  both.receive();
  CHECK(both.take(2) == Numbers{0, 1});
  both.offer(5, 2);  // never received
  both.back.push_back(both.connect(100));
  CHECK(both.take_back() == Numbers{2, 3, 4, 5, 6, 100});
  CHECK(both.ledger.state() == State::revoked);
  CHECK(both.ledger.taken_in_all() == 2);
  CHECK(both.client_sees_end(0));  // a revoke collects, too
}

TEST_CASE("a worker takes nothing that was revoked, throws it away, and is offered again") {
  Both both;
  both.offer(0, 4);
  SUBCASE("what it had received") { both.receive(); }
  SUBCASE("what was on its way") {}
  CHECK(both.take_back() == numbers_from(0, 4));
  CHECK_FALSE(both.reopens());
  both.receive();
  CHECK(both.take().empty());
  CHECK(both.client_sees_end(0));
  CHECK(both.reopens());
  CHECK(both.ledger.credit() == 16);
  both.offer(10, 3);
  both.receive();
  CHECK(both.take() == numbers_from(10, 3));
  CHECK(both.lane.collect(both.ledger, kNow, both.back) == 3U);
}

TEST_CASE("a worker that threw away only some of what was revoked is not offered again yet") {
  Both both;
  both.offer(0, 2);
  both.receive();
  both.offer(2, 2);
  CHECK(both.take_back() == numbers_from(0, 4));
  CHECK(both.take().empty());
  CHECK_FALSE(both.reopens());  // it has not even seen the second message
  both.receive();
  CHECK(both.take().empty());
  CHECK(both.reopens());
}

TEST_CASE("a worker that had just taken everything when it was revoked is offered again") {
  Both both;
  both.offer(0, 3);
  both.receive();
  CHECK(both.take().size() == 3);
  CHECK(both.take_back().empty());
  both.receive();
  CHECK(both.take().empty());
  both.reopens();
  CHECK(both.ledger.credit() == 16);
}

TEST_CASE("an offer that was in the worker's hands when it was revoked cannot be taken") {
  Both both;
  both.offer(0, 1);
  both.receive();
  REQUIRE(both.worker->front() == 0U);
  CHECK(both.take_back() == Numbers{0});
  CHECK_FALSE(both.worker->take().has_value());
  CHECK(both.take().empty());
  CHECK(both.reopens());
}

TEST_CASE("a socket that is full gives the connections back, and goes on later where it was") {
  constexpr std::uint32_t kWindow = 20'000;
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit raised{before.rlim_max, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &raised);
  Both both(kWindow);
  const Accepted original = both.connect(7);
  const auto copy = [&] { return Accepted{UniqueFd(::dup(original.fd.get())), original.offer}; };
  std::uint32_t sent = 0;
  Sent result = Sent::all;
  for (; result == Sent::all && sent < kWindow / 2; ++sent) {  // one a message: room for the fewest
    both.add(copy());
    result = both.send();
  }
  REQUIRE(result == Sent::full);
  --sent;
  CHECK(both.back.size() == 1);
  CHECK(both.ledger.pending() == sent);
  for (int count = 0; count < 3; ++count) both.add(copy());
  CHECK(both.send() == Sent::full);
  CHECK(both.back.size() == 4);
  CHECK(both.lane.unsent() == 0);
  CHECK(both.ledger.pending() == sent);

  both.receive();
  CHECK(both.take(kWindow).size() == sent);
  CHECK(both.lane.collect(both.ledger, kNow, both.back) == sent);
  both.back.clear();
  both.offer(8, 2);
  both.receive();
  CHECK(both.take() == Numbers{8, 9});
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_CASE("a worker that closed its end gets nothing, and what it had not taken comes back") {
  Both both;
  both.offer(0, 3);
  both.receive();
  CHECK(both.take(1) == Numbers{0});
  both.worker.reset();
  both.add(3, 2);
  CHECK(both.send() == Sent::broken);
  CHECK(both.ledger.pending() == 3);
  CHECK(both.take_back() == Numbers{1, 2, 3, 4});
}

TEST_CASE("a page that lies gives nothing") {
  Both both;
  both.offer(0, 4);
  both.receive();
  CHECK(both.take(2) == Numbers{0, 1});
  REQUIRE(both.lane.collect(both.ledger, kNow, both.back) == 2U);
  for (const std::uint32_t lie : {5U, 6U, 1U, 0U, 0x8000'0002U, 0xffff'ffffU}) {
    CAPTURE(lie);
    both.tally->page->window.store(Window{4, lie}.pack());
    CHECK_FALSE(both.lane.collect(both.ledger, kNow, both.back));
    CHECK(both.ledger.pending() == 2);
  }
  both.tally->page->dropped.store(4);
  CHECK_FALSE(both.reopens());  // nothing was revoked
  SUBCASE("not even by a revoke, which still gives everything back") {
    CHECK_FALSE(both.lane.revoke(both.ledger, kNow, both.back));
    CHECK(both.came_back() == Numbers{2, 3});
  }
  SUBCASE("and takes nothing away from one that is honest again") {
    both.tally->page->window.store(Window{4, 2}.pack());
    CHECK(both.take() == Numbers{2, 3});
    CHECK(both.lane.collect(both.ledger, kNow, both.back) == 2U);
  }
}

TEST_CASE("the master is woken by a take only if it asked to be, and once") {
  Both both;
  both.offer(0, 4);
  both.receive();
  both.take(1);
  CHECK_FALSE(both.master_was_woken());
  both.lane.want_wake(handoff::wake::kAtTake);
  CHECK_FALSE(both.master_was_woken());
  both.take(2);
  CHECK(both.master_was_woken());
  CHECK(both.lane.page().want_wake.load() == handoff::wake::kNever);
  both.lane.want_wake(handoff::wake::kAtTake);
  both.lane.want_wake(handoff::wake::kNever);
  both.take(1);
  CHECK_FALSE(both.master_was_woken());
}

TEST_CASE("a master that only waits to close its copies is woken by what leaves the library") {
  Both both;
  both.offer(0, 2);
  both.receive();
  both.lane.want_wake(handoff::wake::kAtDetach);
  both.take(2);
  CHECK_FALSE(both.master_was_woken());
  Connection closed(::dup(0), Peer{}, Hold(both.tally));
  closed.close();
  CHECK_FALSE(both.master_was_woken());
  Connection connection(::dup(0), Peer{}, Hold(both.tally));
  const Connection::Detached detached = connection.detach();
  ::close(detached.fd);
  CHECK(both.master_was_woken());
  CHECK(both.lane.page().want_wake.load() == handoff::wake::kNever);
}

TEST_CASE("the master is woken when what it revoked is thrown away") {
  Both both;
  both.offer(0, 2);
  both.receive();
  both.take_back();
  both.lane.want_wake(handoff::wake::kAtDetach);
  CHECK(both.take().empty());
  CHECK(both.master_was_woken());
  CHECK(both.reopens());
}

TEST_CASE("the end comes behind the last offer, which can still be taken") {
  Both both;
  both.offer(0, 2);
  both.lane.end();
  CHECK(both.worker->receive() == Received::offers);
  CHECK(both.worker->receive() == Received::ended);
  CHECK(both.take() == Numbers{0, 1});
  CHECK(both.lane.collect(both.ledger, kNow, both.back) == 2U);
}

TEST_CASE("a worker without room for all descriptors takes those that came, and refuses the rest") {
  Both both;
  both.offer(0, 5);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlim_t end = 0;
  for (int room = 2; room > 0; ++end) {
    if (::fcntl(static_cast<int>(end), F_GETFD) < 0) --room;
  }
  const rlimit few{end, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  const Received received = both.worker->receive();
  ::setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE(received == Received::lacking);
  CHECK(both.worker->refused_from() == 2);
  both.offer(5, 1);  // on its way before the refusal
  CHECK(both.receive() == Received::nothing);
  CHECK(both.take() == Numbers{0, 1});

  CHECK(both.take_back() == Numbers{2, 3, 4, 5});
  both.worker->revoked();
  CHECK(both.reopens());
  both.offer(6, 2);
  both.receive();
  CHECK(both.take() == Numbers{6, 7});
}

}  // namespace clusterd::runtime
