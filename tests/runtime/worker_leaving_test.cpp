// How a worker leaves, by the library alone: its master is played here, in the same thread, with
// the lane that a real one has.
#include "common/protocol.h"
#include "tests/runtime/played_master.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <clusterd/worker.h>
#include <clusterd/worker.hpp>
#include <deque>
#include <poll.h>
#include <span>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using test::eventually;

/// What is written to stderr while it lives.
class Stderr {
 public:
  Stderr() : before_(::dup(STDERR_FILENO)) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    read_.reset(ends[0]);
  }
  ~Stderr() { ::dup2(before_.get(), STDERR_FILENO); }
  Stderr(const Stderr&) = delete;
  Stderr& operator=(const Stderr&) = delete;

  [[nodiscard]] std::string text() const {
    char bytes[4096];
    const ssize_t got = ::read(read_.get(), bytes, sizeof bytes);
    return got > 0 ? std::string(bytes, static_cast<std::size_t>(got)) : "";
  }

 private:
  UniqueFd before_;
  UniqueFd read_;
};

/// The master's end of one worker. What a worker waits for while it starts is said before.
struct Master : PlayedMaster {
  explicit Master(std::int64_t drain_timeout_ms) : lane(welcome_worker(drain_timeout_ms)) {}

  void say_listening(std::span<const int> fds = {}) const {
    const auto count = static_cast<std::int64_t>(fds.size());
    say(encode(protocol::Listening{1, count, 0, "", ""}), fds);
  }

  /// What the worker has said since the last time, by act.
  std::vector<std::string> heard() {
    char bytes[4096];
    const ssize_t got = ::recv(channel.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (got > 0) unread.append(bytes, static_cast<std::size_t>(got));
    std::vector<std::string> acts;
    for (std::size_t end; (end = unread.find('\n')) != std::string::npos;
         unread.erase(0, end + 1)) {
      const auto message = protocol::decode_from_child(unread.substr(0, end));
      REQUIRE(message.has_value());
      if (const auto* suicide = std::get_if<protocol::Suicide>(&*message)) {
        acts.push_back("suicide: " + suicide->reason);
      } else if (const auto* hello = std::get_if<protocol::Hello>(&*message)) {
        acts.emplace_back(hello->heartbeat ? "hello, with a heartbeat" : "hello");
      }
    }
    return acts;
  }

  /// Offers a connection. Gives the client's end.
  UniqueFd offer() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    ledger.offer(TimePoint{});
    lane.add({UniqueFd(ends[1]), {}});
    REQUIRE(lane.send(ledger, back) == OfferLane::Sent::all);
    return UniqueFd(ends[0]);
  }
  /// As for a worker that leaves: what it has not taken is the master's, and there is no more.
  std::size_t take_back_and_end() {
    REQUIRE(lane.revoke(ledger, TimePoint{}, back));
    lane.end();
    return back.size();
  }
  [[nodiscard]] std::uint64_t turns() const { return lane.page().turns.load(); }

  OfferLane lane;
  core::OfferLedger ledger{16};
  std::deque<Accepted> back;
  std::string unread;
};

bool closed(const UniqueFd& client) {
  char byte;
  return ::recv(client.get(), &byte, 1, MSG_DONTWAIT) == 0;
}

/// A worker that keeps what it gets.
struct Keeper {
  explicit Keeper(const Master& master) : Keeper(master, {}) {}
  Keeper(const Master& master, std::span<const int> socket) {
    master.say_listening(socket);
    worker.listen({"", "127.0.0.1:0"}, [this](Connection connection) {
      if (throws) throw std::runtime_error("boom");
      kept.push_back(std::move(connection));
    });
    worker.on_drain([this] { ++drains; });
    worker.ready();
  }

  Worker worker;
  std::vector<Connection> kept;
  bool throws = false;
  int drains = 0;
};

UniqueFd listening_socket() {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  REQUIRE(::listen(socket.get(), 16) == 0);  // on a port of the kernel's choice
  return socket;
}

UniqueFd connect_to(const UniqueFd& listener) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  return client;
}

using Acts = std::vector<std::string>;

}  // namespace

TEST_CASE("suicide: the master is told at once, and once, and nothing more is taken") {
  Master master(60'000);
  Keeper it(master);
  const UniqueFd open = master.offer();
  it.worker.dispatch(1000);
  REQUIRE(it.kept.size() == 1);
  CHECK(master.heard() == Acts{"hello, with a heartbeat"});

  it.worker.suicide("tired");
  it.worker.suicide("very tired");
  CHECK(master.heard() == Acts{"suicide: tired"});  // before any turn of its loop
  CHECK(it.worker.draining());
  CHECK(it.worker.exit_code() == 1);

  const UniqueFd late = master.offer();
  for (int turn = 0; turn < 3; ++turn) it.worker.dispatch(0);
  CHECK(it.kept.size() == 1);
  CHECK(master.ledger.pending() > 0);
  CHECK(it.drains == 1);

  // The master takes the other one back, and the worker confirms.
  CHECK(master.lane.page().dropped.load() == 0);
  CHECK(master.take_back_and_end() == 1);
  it.worker.dispatch(1000);
  CHECK(master.lane.page().dropped.load() == master.ledger.sent());
  CHECK_FALSE(closed(late));  // the master's copy is there, for another worker
  CHECK_FALSE(it.worker.finished());
  it.kept.clear();
  CHECK(it.worker.run() == 1);
  CHECK(closed(open));
  CHECK(it.drains == 1);
}

TEST_CASE("suicide: an idle worker leaves as soon as the master has answered") {
  Master master(60'000);
  Keeper it(master);
  it.worker.suicide("");
  CHECK_FALSE(it.worker.finished());
  CHECK(master.take_back_and_end() == 0);
  CHECK(it.worker.run() == 1);
}

TEST_CASE("suicide: a master that does not answer is waited for until the deadline") {
  Master master(500);
  Keeper it(master);
  const UniqueFd open = master.offer();
  it.worker.dispatch(1000);
  REQUIRE(it.kept.size() == 1);
  const auto start = std::chrono::steady_clock::now();
  it.worker.suicide("nobody hears me");
  CHECK(it.worker.run() == 1);
  const auto took = std::chrono::steady_clock::now() - start;
  // A tenth earlier than the master's TERM.
  CHECK(took >= 450ms);
  CHECK(it.worker.active() == 1);
}

TEST_CASE("suicide: a loop of one's own that only polls sees the deadline") {
  Master master(100);
  Keeper it(master);
  it.worker.suicide("");
  while (!it.worker.finished()) {
    pollfd ready{it.worker.fd(), POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 10'000) == 1);
    it.worker.dispatch();
  }
  CHECK(it.worker.exit_code() == 1);
}

TEST_CASE("suicide: the master dies meanwhile") {
  auto master = std::make_unique<Master>(60'000);
  Keeper it(*master);
  const UniqueFd offered = master->offer();
  it.worker.suicide("");
  master.reset();
  CHECK(it.worker.run() == 1);
  CHECK(it.kept.empty());
  CHECK(it.drains == 1);
}

TEST_CASE("suicide: in accept race the listener is closed, and its queue is for others") {
  const UniqueFd listener = listening_socket();
  Master master(60'000);
  Keeper it(master, std::array{listener.get()});
  const UniqueFd first = connect_to(listener);
  it.worker.dispatch(1000);
  REQUIRE(it.kept.size() == 1);
  it.worker.suicide("");
  const UniqueFd second = connect_to(listener);
  for (int turn = 0; turn < 3; ++turn) it.worker.dispatch(0);
  CHECK(it.kept.size() == 1);
  CHECK(UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
}

TEST_CASE("in accept race, a worker that is ended takes the connection that it was woken for") {
  const UniqueFd listener = listening_socket();
  Master master(60'000);
  Keeper it(master, std::array{listener.get()});
  // Whoever else waits is not woken for it any more.
  master.lane.end();
  const UniqueFd client = connect_to(listener);
  it.worker.dispatch(1000);
  CHECK(it.drains == 1);
  CHECK(it.kept.size() == 1);
  it.kept.clear();
  CHECK(it.worker.run() == 0);
}

TEST_CASE("suicide: from another thread, whatever the worker's own is doing") {
  Master master(60'000);
  Keeper it(master);
  std::thread([&] { it.worker.suicide("watchdog"); }).join();
  CHECK(master.heard() == Acts{"hello, with a heartbeat", "suicide: watchdog"});
  master.take_back_and_end();
  CHECK(it.worker.run() == 1);
}

TEST_CASE("suicide: what nobody else can be given is still taken: it came before the end") {
  Master master(60'000);
  master.say_listening();
  Worker worker;
  const auto listener = worker.open("");
  const UniqueFd client = master.offer();
  master.lane.end();
  while (!worker.draining()) worker.dispatch(1000);
  worker.suicide("late");
  for (int turn = 0; turn < 3; ++turn) worker.dispatch(0);
  CHECK_FALSE(worker.finished());
  worker.want(listener, [](Connection) {});
  std::deque<Accepted> back;
  CHECK(master.lane.collect(master.ledger, TimePoint{}, back) == 1U);
  CHECK(worker.run() == 1);
  CHECK(closed(client));
}

TEST_CASE("an exception that escapes a handler is said in one line, and is a suicide") {
  Master master(60'000);
  Keeper it(master);
  (void)master.heard();
  const UniqueFd open = master.offer();
  it.worker.dispatch(1000);
  REQUIRE(it.kept.size() == 1);
  it.throws = true;
  const UniqueFd bad = master.offer();
  {
    const Stderr said;
    it.worker.dispatch(1000);
    CHECK(said.text() == "clusterd: an exception escaped a handler: boom\n");
  }
  CHECK(closed(bad));
  CHECK(master.heard() == Acts{"suicide: boom"});
  CHECK(it.worker.active() == 1);
  {
    const Stderr said;
    it.worker.post([] { throw std::runtime_error("two\nlines"); });
    it.worker.post([&] { it.kept.clear(); });
    master.take_back_and_end();
    CHECK(it.worker.run() == 1);
    CHECK(said.text() == "clusterd: an exception escaped a handler again: two lines\n");
  }
  CHECK(master.heard().empty());
}

TEST_CASE("an exception may escape whatever the library calls") {
  const auto leaves = [](const std::string& what, auto&& prepare) {
    CAPTURE(what);
    Master master(60'000);
    Keeper it(master);
    const Stderr said;
    prepare(it.worker, master);
    while (!it.worker.draining()) it.worker.dispatch(1000);
    CHECK(said.text() == "clusterd: an exception escaped a handler: " + what + "\n");
    CHECK(master.heard().back() == "suicide: " + what);
    master.take_back_and_end();
    CHECK(it.worker.run() == 1);
  };
  leaves("a message", [](Worker& worker, const Master& master) {
    worker.on_message("a", [](const Message&) { throw std::runtime_error("a message"); });
    master.say("{\"action\":\"a\"}\n");
  });
  leaves("an event", [](Worker& worker, const Master& master) {
    worker.on_event([](std::string_view) { throw std::runtime_error("an event"); });
    master.say(encode(protocol::Happened{"cluster-ready"}));
  });
  leaves("a text", [](Worker& worker, const Master&) { worker.post([] { throw "a text"; }); });
  leaves("something that is no std::exception",
         [](Worker& worker, const Master&) { worker.post([] { throw 7; }); });
  leaves("a descriptor", [](Worker& worker, const Master& master) {
    const int fd = master.lane.wake_fd();
    worker.watch(fd, [&worker, fd] {
      worker.unwatch(fd);
      throw std::runtime_error("a descriptor");
    });
    worker.post([&master] { (void)!::write(master.lane.wake_fd(), "12345678", 8); });
  });
}

TEST_CASE("each turn of the loop is counted, and a ping makes one") {
  Master master(60'000);
  Keeper it(master);
  it.worker.dispatch(0);
  const std::uint64_t before = master.turns();
  it.worker.dispatch(0);
  CHECK(master.turns() == before + 1);
  pollfd ready{it.worker.fd(), POLLIN, 0};
  CHECK(::poll(&ready, 1, 0) == 0);
  master.say(encode(protocol::Ping{}));
  it.worker.dispatch(-1);
  CHECK(master.turns() == before + 2);
  CHECK(::poll(&ready, 1, 0) == 0);
  CHECK_FALSE(it.worker.draining());
}

TEST_CASE("a master that talks nonsense is the end, but not of what is open") {
  Master master(60'000);
  Keeper it(master);
  const UniqueFd open = master.offer();
  it.worker.dispatch(1000);
  REQUIRE(it.kept.size() == 1);
  const Stderr said;
  master.say("{\"cmd\":\"CLUSTERD\"}\n");
  it.worker.dispatch(1000);
  CHECK(it.worker.draining());
  CHECK_FALSE(closed(open));
  it.kept.clear();
  master.lane.end();
  CHECK(it.worker.run() == 1);
}

TEST_CASE("suicide without a master: no new connection, on_drain, and 1") {
  Worker worker;
  REQUIRE_FALSE(worker.managed());
  std::vector<Connection> kept;
  int drains = 0;
  const auto id =
      worker.listen("127.0.0.1:0", [&](Connection one) { kept.push_back(std::move(one)); });
  worker.on_drain([&] {
    ++drains;
    worker.post([&] { kept.clear(); });
  });
  const std::string address = worker.address(id);
  const auto port = static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
  test::Client client(port);
  while (kept.empty()) worker.dispatch(1000);
  worker.suicide("alone");
  CHECK(worker.run() == 1);
  CHECK(drains == 1);
  CHECK(test::Client(port).refused());
  CHECK(client.read_to_end(5s).kind == test::Reply::Kind::eof);
}

TEST_CASE("suicide in C") {
  clusterd_worker* worker = clusterd_worker_new();
  REQUIRE(worker != nullptr);
  CHECK(clusterd_worker_api() >= 2);
  CHECK(clusterd_worker_exit_code(worker) == 0);
  clusterd_worker_suicide(worker, nullptr);
  CHECK(clusterd_worker_draining(worker) == 1);
  CHECK(clusterd_worker_run(worker) == 1);
  CHECK(clusterd_worker_exit_code(worker) == 1);
  clusterd_worker_free(worker);
}

}  // namespace clusterd::runtime
