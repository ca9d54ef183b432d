// Every connection is taken exactly once or given back exactly once, whatever the two ends do and
// in whatever order. A connection here is a socket whose client wrote its number to it.
#include "master/runtime/offer_lane.h"
#include "tests/support/eventually.h"
#include "worker/src/offer_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <sys/socket.h>
#include <thread>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using core::OfferLedger;
using detail::OfferQueue;
using detail::Tally;
using Sent = OfferLane::Sent;
using State = OfferLedger::State;

constexpr TimePoint kNow{1h};
constexpr std::uint32_t kWindow = 16;

OfferLane make_lane() {
  auto lane = OfferLane::create(kWindow);
  REQUIRE(lane.has_value());
  return std::move(*lane);
}

OfferQueue make_worker(OfferLane& lane) {
  auto ends = lane.take_worker_ends();
  return {std::move(ends.connections), std::move(ends.wake),
          std::make_shared<Tally>(ends.page.get())};
}

std::pair<Accepted, UniqueFd> connect(std::uint32_t number) {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  REQUIRE(::send(ends[0], &number, sizeof number, 0) == sizeof number);
  return {Accepted{UniqueFd(ends[1]), {}}, UniqueFd(ends[0])};
}

/// What can be read once: whoever takes a connection takes its number out of it.
std::optional<std::uint32_t> take_number(int fd) {
  std::uint32_t number = 0;
  if (::recv(fd, &number, sizeof number, MSG_DONTWAIT) != sizeof number) return std::nullopt;
  return number;
}

std::uint32_t look_at_number(int fd) {
  std::uint32_t number = 0;
  REQUIRE(::recv(fd, &number, sizeof number, MSG_DONTWAIT | MSG_PEEK) == sizeof number);
  return number;
}

/// Both ends of a lane, and beside them in plain numbers what must be true of it.
class Model {
 public:
  explicit Model(unsigned seed) : rng_(seed) {}

  void step() {
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
        return offer(1 + pick(5));
      case 3:
      case 4:
        return receive();
      case 5:
      case 6:
      case 7:
      case 8:
        return take();
      case 9:
        return collect();
      case 10:
        return reopen();
      default:
        if (pick(4) == 0) revoke();
    }
  }

  /// No more is revoked, nor begun, and the worker takes what there is.
  void finish() {
    while (!waiting_.empty() || !offered_.empty()) {
      const std::size_t before = taken_.size();
      receive();
      take();
      collect();
      reopen();
      if (!waiting_.empty()) offer(1);
      idle_ = taken_.size() == before ? idle_ + 1 : 0;
      REQUIRE(idle_ < 100);
    }
    collect();
    CHECK(taken_.size() == begun_);
    CHECK(clients_.empty());
    CHECK(ledger_.taken_in_all() == begun_);
  }

 private:
  std::uint32_t pick(std::uint32_t count) {
    return std::uniform_int_distribution<std::uint32_t>(0, count - 1)(rng_);
  }

  Accepted next_connection() {
    if (waiting_.empty()) {
      auto [connection, client] = connect(begun_);
      clients_[begun_++] = std::move(client);
      return std::move(connection);
    }
    Accepted connection = std::move(waiting_.front());
    waiting_.pop_front();
    return connection;
  }

  void offer(std::uint32_t count) {
    for (; count > 0 && ledger_.credit() > 0; --count) {
      Accepted connection = next_connection();
      offered_.push_back(look_at_number(connection.fd.get()));
      ledger_.offer(kNow);
      lane_.add(std::move(connection));
    }
    REQUIRE(lane_.send(ledger_, waiting_) == Sent::all);
    REQUIRE(ledger_.pending() == offered_.size() + uncollected_);
  }

  void receive() { REQUIRE(worker_.receive() <= OfferQueue::Received::offers); }

  void take() {
    if (!worker_.front()) return;
    const auto taken = worker_.take();
    REQUIRE(taken.has_value());
    const auto number = take_number(taken->fd.get());
    REQUIRE(number.has_value());
    REQUIRE_FALSE(offered_.empty());
    REQUIRE(*number == offered_.front());
    offered_.pop_front();
    REQUIRE(taken_.insert(*number).second);
    closed_.push_back(*number);
    ++uncollected_;
  }

  void collect() {
    if (ledger_.state() == State::revoked) return;  // as the dispatcher: the page says nothing then
    std::deque<Accepted> refused;
    REQUIRE(lane_.collect(ledger_, kNow, refused) == uncollected_);
    settle_collected();
  }

  void revoke() {
    if (offered_.empty()) return;
    const std::deque<std::uint32_t> expected = offered_;
    const std::size_t before = waiting_.size();
    REQUIRE(lane_.revoke(ledger_, kNow, waiting_));
    settle_collected();
    REQUIRE(waiting_.size() == before + expected.size());
    for (std::size_t at = 0; at < expected.size(); ++at) {
      REQUIRE(look_at_number(waiting_[at].fd.get()) == expected[at]);
    }
    offered_.clear();
  }

  void reopen() {
    if (ledger_.dropped(lane_.page().dropped.load())) lane_.reopen(ledger_);
  }

  /// The worker closed each, and the master has no copy any more, so that the clients see the end.
  void settle_collected() {
    for (const std::uint32_t number : closed_) {
      char byte = 0;
      REQUIRE(::recv(clients_.at(number).get(), &byte, 1, MSG_DONTWAIT) == 0);
      clients_.erase(number);
    }
    closed_.clear();
    uncollected_ = 0;
  }

  std::mt19937 rng_;
  OfferLedger ledger_{kWindow};
  OfferLane lane_ = make_lane();
  OfferQueue worker_ = make_worker(lane_);
  std::deque<Accepted> waiting_;
  std::map<std::uint32_t, UniqueFd> clients_;
  std::deque<std::uint32_t> offered_;
  std::set<std::uint32_t> taken_;
  std::vector<std::uint32_t> closed_;
  std::uint32_t uncollected_ = 0;
  std::uint32_t begun_ = 0;
  int idle_ = 0;
};

/// A worker on a thread of its own, as fast as it can: for what only happens between two
/// instructions.
class Racer {
 public:
  Racer(OfferQueue queue, std::size_t count) : queue_(std::move(queue)), times_(count) {}
  ~Racer() {
    stop_ = true;
    thread_.join();
  }
  Racer(const Racer&) = delete;
  Racer& operator=(const Racer&) = delete;

  [[nodiscard]] std::size_t taken() const { return taken_; }
  [[nodiscard]] const std::vector<std::atomic<int>>& times() const { return times_; }

 private:
  void run() {
    while (!stop_) {
      if (queue_.receive() != OfferQueue::Received::offers) std::this_thread::yield();
      while (queue_.front()) {
        const auto offered = queue_.take();
        if (!offered) continue;  // the master was quicker
        const auto number = take_number(offered->fd.get());
        if (number) ++times_[*number];
        ++taken_;
      }
    }
  }

  OfferQueue queue_;
  std::vector<std::atomic<int>> times_;
  std::atomic<std::size_t> taken_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_{[this] { run(); }};
};

/// The master of the race: offers all, and takes back every now and then.
class Offerer {
 public:
  explicit Offerer(std::uint32_t count) : count_(count) {}

  OfferLane& lane() { return lane_; }

  void step() {
    for (std::uint32_t more = 1 + rng_() % kWindow; more > 0 && ledger_.credit() > 0; --more) {
      if (waiting_.empty() && begun_ == count_) break;
      if (waiting_.empty()) waiting_.push_back(connect(begun_++).first);
      ledger_.offer(kNow);
      lane_.add(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    REQUIRE(lane_.send(ledger_, waiting_) == Sent::all);
    if (ledger_.pending() > 0 && rng_() % 64 == 0) REQUIRE(lane_.revoke(ledger_, kNow, waiting_));
    const bool looks = ledger_.state() != State::revoked && rng_() % 3 == 0;
    if (looks) REQUIRE(lane_.collect(ledger_, kNow, waiting_).has_value());
    if (ledger_.dropped(lane_.page().dropped.load())) lane_.reopen(ledger_);
  }

 private:
  std::uint32_t count_;
  std::mt19937 rng_{1};
  OfferLedger ledger_{kWindow};
  OfferLane lane_ = make_lane();
  std::deque<Accepted> waiting_;
  std::uint32_t begun_ = 0;
};

}  // namespace

TEST_CASE("in thousands of random steps each connection is taken once or given back once") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Model model(seed);
    for (int step = 0; step < 2000; ++step) model.step();
    model.finish();
  }
}

TEST_CASE("a worker that races with the master takes each connection once") {
  constexpr std::uint32_t kConnections = 1'000;
  Offerer offerer(kConnections);
  const Racer racer(make_worker(offerer.lane()), kConnections);
  CHECK(test::eventually(
      [&] {
        for (int step = 0; step < 100; ++step) {
          offerer.step();
          std::this_thread::yield();
        }
        return racer.taken() == kConnections;
      },
      60s));
  CHECK(std::all_of(racer.times().begin(), racer.times().end(),
                    [](const std::atomic<int>& times) { return times == 1; }));
}

}  // namespace clusterd::runtime
