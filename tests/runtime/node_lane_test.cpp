// A Node process is played here: it reads what comes over its channel, and answers when it likes.
#include "master/runtime/node_lane.h"

#include "common/fd_passing.h"
#include "common/node_protocol.h"
#include "common/node_reply.h"
#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <deque>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{1h};

ino_t identity(int fd) {
  struct stat status{};
  REQUIRE(::fstat(fd, &status) == 0);
  return status.st_ino;
}

struct Bench {
  explicit Bench(NodeLane::Style style = NodeLane::Style::cluster) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    process.reset(ends[1]);
    channel = Channel::open(
        io, UniqueFd(ends[0]), node::kLongestLine,
        {.line = [](std::string_view) {}, .ended = [] {}, .broken = [](const std::string&) {}});
    link = std::make_shared<NodeLink>(channel);
    lane.emplace(link, style, 4);
  }
  ~Bench() { channel->close(); }

  /// One more that the worker is to get; what it is known by.
  ino_t offer() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    clients.emplace_back(ends[1]);
    const ino_t which = identity(ends[0]);
    ledger.offer(kNow);
    lane->add({UniqueFd(ends[0]), {}, kNow});
    CHECK(lane->send(ledger, back) == Lane::Sent::all);
    return which;
  }

  struct Heard {
    std::string line;
    ino_t descriptor = 0;  ///< 0: none
  };
  // NOLINTNEXTLINE(modernize-use-nodiscard): to take it out of the way is enough at times.
  std::optional<Heard> hear() const {
    std::array<std::byte, 4096> buffer{};
    const auto got = receive_with_fds(process.get(), buffer, 4);
    if (!got) return std::nullopt;
    CHECK(got->fds.size() <= 1);
    Heard heard{{reinterpret_cast<const char*>(buffer.data()), got->bytes}};
    if (!got->fds.empty()) heard.descriptor = identity(got->fds[0].get());
    return heard;
  }
  /// The number of the connection that has just come, which has to be this one.
  // NOLINTNEXTLINE(modernize-use-nodiscard): its number is said.
  std::int64_t expect(ino_t which, std::int64_t seq) const {
    const auto heard = hear();
    REQUIRE(heard.has_value());
    CHECK(heard->line == node_line(seq));
    CHECK(heard->descriptor == which);
    return seq;
  }
  static std::string node_line(std::int64_t seq) {
    return R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER",)"
           R"("act":"newconn","key":"clusterd:0","seq":)" +
           std::to_string(seq) + "}}\n";
  }

  void acknowledge() {
    if (link->acknowledged().connection) lane->arrived();
    go_on();
  }
  void refuse() {
    if (link->refused().connection) lane->lost();
    go_on();
  }
  void go_on() {
    link->go_on();
    lane->go_on();
  }
  [[nodiscard]] bool closed(std::size_t client) const {
    char byte = 0;
    return ::recv(clients[client].get(), &byte, 1, MSG_DONTWAIT) == 0;
  }
  std::vector<ino_t> came_back() {
    std::vector<ino_t> all;
    for (const Accepted& one : back) all.push_back(identity(one.fd.get()));
    return all;
  }

  boost::asio::io_context io;
  UniqueFd process;
  std::shared_ptr<Channel> channel;
  std::shared_ptr<NodeLink> link;
  std::optional<NodeLane> lane;
  core::OfferLedger ledger{4};
  std::deque<Accepted> back;
  std::vector<UniqueFd> clients;
};

using Inodes = std::vector<ino_t>;

}  // namespace

TEST_CASE("a Node worker is sent the next connection when the one before has arrived") {
  Bench bench;
  const ino_t first = bench.offer();
  const ino_t second = bench.offer();
  bench.expect(first, 0);
  CHECK_FALSE(bench.hear());
  CHECK(bench.lane->unsent() == 1);
  bench.acknowledge();
  bench.expect(second, 1);
  CHECK_FALSE(bench.closed(0));
  bench.lane->answered(0, true);
  CHECK(bench.lane->collect(bench.ledger, kNow, bench.back) == 1U);
  CHECK(bench.closed(0));
  CHECK_FALSE(bench.closed(1));
  CHECK(bench.ledger.pending() == 1);
}

TEST_CASE("what a Node worker refuses comes back, and it rests for a moment") {
  Bench bench;
  const ino_t first = bench.offer();
  bench.expect(first, 0);
  SUBCASE("it did not accept it") {
    bench.acknowledge();
    bench.lane->answered(0, false);
  }
  SUBCASE("it had no room for its descriptor") { bench.refuse(); }
  SUBCASE("it is gone") { bench.lane->gone(); }
  CHECK(bench.lane->collect(bench.ledger, kNow, bench.back) == 0U);
  CHECK(bench.came_back() == Inodes{first});
  CHECK(bench.ledger.pending() == 0);
  CHECK(bench.ledger.taken_in_all() == 0);
  CHECK(bench.ledger.state() == core::OfferLedger::State::full);
}

TEST_CASE("what a Node worker was sent stays its own for as long as it lives") {
  Bench bench;
  const ino_t first = bench.offer();
  const ino_t second = bench.offer();
  bench.expect(first, 0);
  CHECK(bench.lane->revoke(bench.ledger, kNow, bench.back));
  CHECK(bench.came_back() == Inodes{second});
  CHECK(bench.ledger.pending() == 1);
  bench.back.clear();
  bench.lane->gone();
  CHECK(bench.lane->revoke(bench.ledger, kNow, bench.back));
  CHECK(bench.came_back() == Inodes{first});
  CHECK(bench.ledger.pending() == 0);
}

TEST_CASE("no descriptor follows a probe that is not answered, and no probe a descriptor") {
  Bench bench;
  bench.link->probe();
  CHECK(bench.hear()->line == node::probe());
  bench.link->probe();  // one is enough
  const ino_t first = bench.offer();
  CHECK_FALSE(bench.hear());
  bench.refuse();
  bench.expect(first, 0);
  bench.link->probe();
  CHECK_FALSE(bench.hear());
  bench.acknowledge();
  bench.link->probe();
  CHECK(bench.hear()->line == node::probe());
}

TEST_CASE("the master's own descriptors go before connections") {
  Bench bench;
  const ino_t first = bench.offer();
  const ino_t second = bench.offer();
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const ino_t its = identity(listener.get());
  bool failed = false;
  CHECK(bench.link->hand_over("listener\n", std::move(listener), [&] { failed = true; }));
  bench.expect(first, 0);
  bench.acknowledge();
  const auto heard = bench.hear();
  REQUIRE(heard.has_value());
  CHECK(heard->line == "listener\n");
  CHECK(heard->descriptor == its);
  SUBCASE("it arrives") {
    bench.acknowledge();
    CHECK_FALSE(failed);
  }
  SUBCASE("it does not") {
    bench.refuse();
    CHECK(failed);
  }
  bench.expect(second, 1);
}

TEST_CASE("a plain child of Node takes a connection when that arrives") {
  Bench bench(NodeLane::Style::fork);
  const ino_t first = bench.offer();
  const auto heard = bench.hear();
  REQUIRE(heard.has_value());
  CHECK(heard->line ==
        "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":\"connection\"}\n");
  CHECK(heard->descriptor == first);
  bench.acknowledge();
  CHECK(bench.lane->collect(bench.ledger, kNow, bench.back) == 1U);
  bench.lane->end();
  CHECK(bench.hear()->line.empty());  // the end of the channel
}

TEST_CASE("who leaves by itself is not asked to") {
  Bench bench;
  SUBCASE("it is asked once") {
    bench.lane->end();
    bench.lane->end();
    CHECK(bench.hear()->line == node::disconnect(0));
  }
  SUBCASE("it said so") {
    bench.link->leaves_by_itself();
    bench.lane->end();
  }
  CHECK_FALSE(bench.hear());
}

TEST_CASE("a worker that says what it never was sent changes nothing") {
  Bench bench;
  const ino_t first = bench.offer();
  bench.expect(first, 0);
  bench.lane->answered(7, true);
  bench.acknowledge();
  bench.acknowledge();
  bench.refuse();
  CHECK(bench.lane->collect(bench.ledger, kNow, bench.back) == 0U);
  CHECK(bench.ledger.pending() == 1);
}

TEST_CASE("only sockets that do not block are fit for Node") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const UniqueFd reads(ends[0]);
  const UniqueFd writes(ends[1]);
  const UniqueFd blocks(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const UniqueFd stream(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const UniqueFd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const UniqueFd unix_datagrams(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  CHECK_FALSE(fit_for_node(reads.get()));
  CHECK_FALSE(fit_for_node(blocks.get()));
  CHECK_FALSE(fit_for_node(unix_datagrams.get()));
  CHECK(fit_for_node(stream.get()));
  CHECK(fit_for_node(udp.get()));
}

}  // namespace clusterd::runtime
