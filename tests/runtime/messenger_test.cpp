#include "tests/runtime/post.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace clusterd::runtime {

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
  CHECK(undelivered(post.hear(1)) == 0);
}

TEST_CASE("a message that nobody can get is told to its sender") {
  Post post(2);
  post.send(1, {Kind::pid, 9}, "lost");
  CHECK(post.hear(1) == encode(protocol::Undelivered{"lost", 1}));
  CHECK(post.hear(2).empty());
}

TEST_CASE("what an agent program that has ended had not handled is told to who sent it") {
  Post post(2);
  const ChildId agent{Role::program, 1};
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const UniqueFd theirs(ends[0]);
  const auto channel = Channel::open(
      post.io, UniqueFd(ends[1]), protocol::kLongestLine,
      {.line = [](std::string_view) {}, .ended = [] {}, .broken = [](const std::string&) {}});
  post.messenger.join(agent, channel, 99, std::nullopt, Messenger::Dialect::native, true);
  post.messenger.set_ready(agent, true);
  CHECK(post.hear(1) == encode(protocol::Happened{"agent-start"}));
  for (int i = 0; i < 3; ++i) post.send(1, {Kind::agent, 0}, "one");
  post.send(2, {Kind::unsaid, 0}, "two");
  post.settle();
  post.messenger.heard(agent, 2);
  CHECK(post.hear(1).empty());
  channel->close();
  post.messenger.leave(agent);
  const std::string first = post.hear(1);
  CHECK(undelivered(first) == 1);
  CHECK(lines_with(first, "agent-exit") == 1);
  CHECK(undelivered(post.hear(2)) == 1);
  post.send(1, {Kind::agent, 0}, "three");
  CHECK(undelivered(post.hear(1)) == 1);
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

TEST_CASE("what became of messages is counted, for each receiver") {
  Post post(3);
  post.send(1, {Kind::app, 0}, "three");
  post.send(1, {Kind::pid, 9}, "nobody");
  CHECK(post.messenger.carried().queued == 3);
  CHECK(post.messenger.carried().undelivered == 1);
  for (const std::uint32_t number : {1U, 2U, 3U}) (void)post.hear(number);
  CHECK(post.messenger.carried().waiting_bytes == 0);
  const std::string data = '"' + std::string(10'000, 'x') + '"';
  for (int i = 0; i < 80; ++i) post.send(1, {Kind::pid, 103}, "bulk", data);
  post.settle();
  CHECK(post.messenger.carried().queued == 83);
  CHECK(post.messenger.carried().waiting_bytes > 256 * 1024);
  post.seats[2]->channel->close();
  post.messenger.leave(worker(3));
  const Messenger::Carried carried = post.messenger.carried();
  CHECK(carried.undelivered > 1);
  CHECK(carried.undelivered <= 81);
  CHECK(carried.waiting_bytes == 0);
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

TEST_CASE("with drop-oldest the newest messages stay, and each that goes is told to its sender") {
  Post post(3);
  config::Messages settings;
  settings.queue = 65'536;
  settings.policy = config::Messages::Policy::drop_oldest;
  post.messenger.configure(settings);
  const std::string data = '"' + std::string(1'000, 'x') + '"';
  constexpr int kMessages = 1'000;
  std::string heard[3];
  for (int i = 0; i < kMessages; ++i) {
    for (const std::uint32_t from : {1U, 2U}) {
      post.send(from, {Kind::pid, 103}, from == 1 ? "one" : "two",
                i == kMessages - 1 ? "\"last\"" : data);
    }
    if (i % 100 == 0) {
      for (const std::uint32_t number : {1U, 2U}) heard[number] += post.hear(number);
    }
  }
  const std::string late = post.hear(3);
  for (const std::uint32_t number : {1U, 2U}) {
    heard[number] += post.hear(number);
    const std::string action = number == 1 ? "\"action\":\"one\"" : "\"action\":\"two\"";
    CHECK(lines_with(late, action) + static_cast<std::size_t>(undelivered(heard[number])) ==
          kMessages);
  }
  CHECK(lines_with(late, "last") == 2);
  CHECK(lines_with(heard[1], "undelivered\",\"action\":\"one\"") > 0);
}

TEST_CASE("a sender is told when a receiver is slow, once, and when it is not any more") {
  Post post(3);
  const std::string data = '"' + std::string(10'000, 'x') + '"';
  for (int i = 0; i < 80; ++i) post.send(1, {Kind::pid, 103}, "bulk", data);
  post.settle();
  CHECK(post.hear(1) == encode(protocol::Pressure{103, true}));
  post.send(2, {Kind::pid, 103}, "bulk", data);
  CHECK(post.hear(2) == encode(protocol::Pressure{103, true}));
  post.send(1, {Kind::pid, 103}, "bulk", data);
  CHECK(post.hear(1).empty());
  CHECK(lines_with(post.hear(3), "\"bulk\"") == 82);
  CHECK(post.hear(1) == encode(protocol::Pressure{103, false}));
  CHECK(post.hear(2) == encode(protocol::Pressure{103, false}));
}

TEST_CASE("a request that nobody gets is told by its number") {
  Post post(1);
  post.ask(1, {Kind::pid, 9}, 77);
  CHECK(post.hear(1) == encode(protocol::Undelivered{"ask", 1, {77}}));
}

TEST_CASE("who asked one that ends without an answer is told, and an answer comes as it is") {
  Post post(2);
  post.ask(1, {Kind::pid, 102}, 5);
  post.ask(1, {Kind::slot, 1}, 6);
  CHECK(lines_with(post.hear(2), "\"ask\"") == 2);
  post.ask(2, {Kind::pid, 101}, 0, 5);
  CHECK(post.hear(1) == seal_envelope({"ask", {Kind::pid, 101}, "null", 102, 0, 5}));
  post.messenger.leave(worker(2));
  CHECK(post.hear(1) == encode(protocol::Gone{{6}}));
}

TEST_CASE("what a receiver had not heard when it ended is told to who sent it") {
  Post post(1);
  post.add(2, true);
  for (int i = 0; i < 10; ++i) post.send(1, {Kind::pid, 102}, "work");
  post.settle();
  post.messenger.heard(worker(2), 7);
  post.messenger.leave(worker(2));
  CHECK(undelivered(post.hear(1)) == 3);
}

TEST_CASE("what was not even sent to a receiver when it ended is told with its action") {
  Post post(2);
  const std::string data = '"' + std::string(10'000, 'x') + '"';
  for (int i = 0; i < 60; ++i) post.send(1, {Kind::pid, 102}, "bulk", data);
  post.settle();
  std::string some(1'000'000, ' ');
  const auto got = ::recv(post.seats[1]->peer.get(), some.data(), some.size(), MSG_DONTWAIT);
  REQUIRE(got > 0);
  some.resize(static_cast<std::size_t>(got));
  post.messenger.leave(worker(2));
  const std::string told = post.hear(1);
  // Of a receiver that says nothing, what it was sent counts as heard, and a part of it does not.
  CHECK(undelivered(told) + static_cast<std::int64_t>(lines_with(some, "\n")) == 60);
}

TEST_CASE("a program of another protocol is told of its messages if it asks for that") {
  Post post(0);
  post.add(1, false, Messenger::Dialect::node);
  post.send(1, {Kind::pid, 9}, "lost");
  CHECK(post.hear(1).empty());
  post.messenger.wants_notices(worker(1));
  post.send(1, {Kind::pid, 9}, "lost");
  CHECK(post.hear(1) == encode(protocol::Undelivered{"lost", 1}));
}

TEST_CASE("the operator sends as programs do, and hears the answer") {
  Post post(2);
  std::string answer;
  std::string lost;
  post.messenger.tell_operator(
      {.answered = [&](const Envelope& envelope) { answer = envelope.data; },
       .lost = [&](std::int64_t request, std::string_view) { lost += std::to_string(request); }});
  const auto posted = post.messenger.send({"refresh", {Kind::app, 0}, "[1]", ::getpid()});
  CHECK(posted.queued == 2);
  CHECK(posted.missed == 0);
  CHECK(post.hear(1) == seal_envelope({"refresh", {Kind::app, 0}, "[1]", ::getpid()}));
  CHECK(post.messenger.send({"x", {Kind::slot, 4}, "null", ::getpid()}).queued == 0);
  for (const std::int64_t request : {1, 2}) {
    CHECK(post.messenger.send({"ask", {Kind::slot, 1}, "null", ::getpid(), request}).queued == 1);
  }
  post.settle();
  post.ask(2, {Kind::pid, ::getpid()}, 0, 1);
  CHECK(answer == "null");
  post.messenger.leave(worker(2));
  CHECK(lost == "2");
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
  CHECK(post.messenger.notices(worker(2)).empty());
}

}  // namespace clusterd::runtime
