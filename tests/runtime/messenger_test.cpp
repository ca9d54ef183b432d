#include "master/runtime/messenger.h"

#include "common/protocol.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace clusterd::runtime {
namespace {

using Kind = Recipient::Kind;

constexpr ChildId worker(std::uint32_t number) { return {Role::worker, number}; }

/// A messenger with workers that are sockets.
struct Post {
  struct Seat {
    UniqueFd peer;
    std::shared_ptr<Channel> channel;
    bool broken = false;
  };

  explicit Post(std::uint32_t count) {
    for (std::uint32_t number = 1; number <= count; ++number) add(number);
  }
  ~Post() {
    for (const auto& seat : seats) seat->channel->close();
  }

  void add(std::uint32_t number) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    auto seat = std::make_unique<Seat>();
    seat->peer.reset(ends[0]);
    seat->channel =
        Channel::open(io, UniqueFd(ends[1]), protocol::kLongestLine,
                      {.line = [](std::string_view) {},
                       .ended = [] {},
                       .broken = [broken = &seat->broken](const std::string&) { *broken = true; },
                       .all_sent = [this, number] { messenger.all_sent(worker(number)); }});
    messenger.join(worker(number), seat->channel, 100 + number, SlotId(number - 1));
    messenger.set_ready(worker(number), true);
    seats.push_back(std::move(seat));
  }

  void send(std::uint32_t from, Recipient to, const std::string& action,
            const std::string& data = "null") {
    const Envelope envelope{action, to, data, 100 + from};
    std::string line = seal_envelope(envelope);
    line.pop_back();
    messenger.route(worker(from), envelope, line);
  }

  void settle() {
    do io.restart();
    while (io.poll() > 0);
  }

  /// All that worker `number` can read now, and after it has.
  std::string hear(std::uint32_t number) {
    std::string text;
    char some[65536];
    for (int idle = 0; idle < 2;) {
      settle();
      const ssize_t got = ::recv(seats[number - 1]->peer.get(), some, sizeof some, MSG_DONTWAIT);
      if (got <= 0) {
        ++idle;
      } else {
        idle = 0;
        text.append(some, static_cast<std::size_t>(got));
      }
    }
    return text;
  }

  boost::asio::io_context io;
  Messenger messenger;
  std::vector<std::unique_ptr<Seat>> seats;
};

std::size_t lines_with(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

/// The sum of all notices of messages that could not be queued.
std::int64_t undelivered(const std::string& text) {
  std::int64_t sum = 0;
  std::size_t start = 0;
  for (std::size_t end = 0; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    const auto line =
        protocol::decode_from_master(std::string_view(text).substr(start, end - start));
    REQUIRE(line.has_value());
    if (const auto* notice = std::get_if<protocol::Undelivered>(&*line)) sum += notice->count;
  }
  return sum;
}

}  // namespace

TEST_CASE("a message comes out as the bytes it went in as, for each receiver once") {
  Post post(3);
  const std::string data = R"({"x" : 1.50e0})";
  post.send(1, {Kind::app, 0}, "refresh", data);
  for (std::uint32_t number : {1U, 2U, 3U}) {
    const std::string text = post.hear(number);
    CHECK(text == seal_envelope({"refresh", {Kind::app, 0}, data, 101}));
  }
}

TEST_CASE("messages of one sender keep their order, also when they have to wait") {
  Post post(2);
  std::string expected;
  for (int i = 0; i < 10'000; ++i) {
    const std::string data = std::to_string(i);
    post.send(1, {Kind::pid, 102}, "count", data);
    expected += seal_envelope({"count", {Kind::pid, 102}, data, 101});
  }
  CHECK((post.hear(2) == expected));
  CHECK(post.hear(1).empty());
}

TEST_CASE("a message that nobody can get is told to its sender") {
  Post post(2);
  post.send(1, {Kind::pid, 9}, "lost");
  CHECK(post.hear(1) == encode(protocol::Undelivered{"lost", 1}));
  CHECK(post.hear(2).empty());
}

TEST_CASE("a receiver that does not read costs a bounded amount, and the sender is told of each") {
  Post post(3);
  constexpr int kMessages = 5'000;
  const std::string data = '"' + std::string(1'000, 'x') + '"';
  std::string heard_by_sender;
  std::string heard_by_other;
  for (int i = 0; i < kMessages; ++i) {
    post.send(1, {Kind::all, 0}, "flood", data);
    if (i % 100 == 0) {
      heard_by_sender += post.hear(1);
      heard_by_other += post.hear(2);
    }
  }
  heard_by_sender += post.hear(1);
  heard_by_other += post.hear(2);
  CHECK(lines_with(heard_by_other, "\"flood\"") == kMessages);
  const std::string late = post.hear(3);  // what had been queued for the one that did not read
  const auto kept = static_cast<std::int64_t>(lines_with(late, "\"flood\",\"to\""));
  CHECK(late.size() < 2 * 1024 * 1024);
  CHECK(kept + undelivered(heard_by_sender) == kMessages);
  CHECK_FALSE(post.seats[2]->broken);
}

TEST_CASE("a sender that does not read gets few notices, which sum up all") {
  Post post(1);
  constexpr int kMessages = 200'000;
  for (int i = 0; i < kMessages; ++i) post.send(1, {Kind::pid, 9}, i % 2 == 0 ? "even" : "odd");
  CHECK_FALSE(post.seats[0]->broken);
  const std::string text = post.hear(1);
  CHECK(undelivered(text) == kMessages);
  CHECK(text.size() < 1024 * 1024);
  post.send(1, {Kind::pid, 9}, "again");
  CHECK(post.hear(1) == encode(protocol::Undelivered{"again", 1}));
}

TEST_CASE("the master's own lines go before messages that wait") {
  Post post(2);
  const std::string data = '"' + std::string(10'000, 'x') + '"';
  for (int i = 0; i < 60; ++i) post.send(1, {Kind::pid, 102}, "bulk", data);
  post.settle();
  post.seats[1]->channel->send(encode(protocol::Revoked{}));
  const std::string text = post.hear(2);
  CHECK(lines_with(text, "\"bulk\"") == 60);
  const std::size_t at = text.find("revoked");
  REQUIRE(at != std::string::npos);
  CHECK(lines_with(text.substr(at), "\"bulk\"") > 10);  // they had not all gone before it
  for (std::size_t start = 0; start < text.size();) {   // and no line was torn
    const std::size_t end = text.find('\n', start);
    CHECK(check_json(std::string_view(text).substr(start, end - start)).has_value());
    start = end + 1;
  }
}

TEST_CASE("cluster-ready is told to everybody once, and to who becomes ready later") {
  const std::string line = encode(protocol::Happened{"cluster-ready"});
  Post post(2);
  CHECK(post.hear(1).empty());
  post.messenger.cluster_is_ready();
  post.messenger.set_ready(worker(1), true);
  CHECK(post.hear(1) == line);
  CHECK(post.hear(2) == line);
  post.add(3);
  CHECK(post.hear(3) == line);
  CHECK(post.hear(1).empty());
}

TEST_CASE("who has left gets nothing, and is missed") {
  Post post(2);
  post.messenger.leave(worker(2));
  post.send(1, {Kind::pid, 102}, "late");
  CHECK(post.hear(2).empty());
  CHECK(post.hear(1) == encode(protocol::Undelivered{"late", 1}));
  post.messenger.all_sent(worker(2));
}

}  // namespace clusterd::runtime
