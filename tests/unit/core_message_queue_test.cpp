#include "master/core/message_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>

namespace clusterd::core {
namespace {

constexpr ChildId worker(std::uint32_t number) { return {Role::worker, number}; }
constexpr std::size_t kMost = 4096;

std::string next_of(const MessageQueue& queue) {
  std::string text;
  for (const std::string_view part : queue.next()) text += part;
  return text;
}

}  // namespace

TEST_CASE("messages come out as one stream, in the order in which they came") {
  MessageQueue queue;
  CHECK(queue.empty());
  CHECK(queue.push("one", {worker(1)}, kMost));
  CHECK(queue.push("two", {worker(2)}, kMost));
  CHECK(next_of(queue) == "one\ntwo\n");
  queue.sent(5);
  CHECK(queue.begun() == "wo\n");
  CHECK(next_of(queue) == "wo\n");
  CHECK_FALSE(queue.empty());
  queue.sent(1);
  CHECK(queue.begun() == "o\n");
  queue.sent(2);
  CHECK(queue.empty());
  CHECK(queue.size() == 0);
}

TEST_CASE("no more waits than may, and a message that is too long never does") {
  MessageQueue queue;
  CHECK_FALSE(queue.push(std::string(kMost, 'x'), {worker(1)}, kMost));
  std::size_t count = 0;
  while (queue.push(std::string(100, 'x'), {worker(1)}, kMost)) ++count;
  CHECK(count == kMost / 125);
  CHECK(queue.size() <= kMost);
  CHECK(queue.push("short", {worker(1)}, 2 * kMost));  // a bound that was raised since
}

TEST_CASE("the oldest goes first, but not one of which a part was sent") {
  MessageQueue queue;
  for (const char* line : {"one", "two", "three"}) {
    CHECK(queue.push(line, {worker(7), line[0] == 't'}, kMost));
  }
  queue.sent(1);
  const auto lost = queue.drop_oldest();
  REQUIRE(lost.has_value());
  CHECK(lost->line == "two");
  CHECK(lost->ticket.sender == worker(7));
  CHECK(lost->ticket.is_request);
  CHECK(next_of(queue) == "ne\nthree\n");
  CHECK(queue.drop_oldest().has_value());
  CHECK_FALSE(queue.drop_oldest().has_value());
  CHECK(next_of(queue) == "ne\n");
}

TEST_CASE("what a receiver was sent and has not heard is known when it is gone") {
  MessageQueue queue;
  queue.receiver_tells();
  for (std::uint32_t number = 1; number <= 4; ++number) {
    CHECK(queue.push("line", {worker(number)}, kMost));
  }
  queue.sent(3 * 5 + 1);
  queue.heard(1);
  const auto unheard = queue.take_unheard();
  REQUIRE(unheard.size() == 3);
  CHECK(unheard[0].sender == worker(2));
  CHECK(unheard[1].sender == worker(3));
  CHECK(unheard[2].sender == worker(4));
  CHECK(next_of(queue) == "ine\n");
  queue.sent(4);
  queue.heard(100);  // more than there is: the receiver's claim is bounded
  CHECK(queue.take_unheard().empty());
}

TEST_CASE("who says late that it tells what it hears means what it was sent before as well") {
  MessageQueue queue;
  for (std::uint32_t number = 1; number <= 4; ++number) {
    CHECK(queue.push("line", {worker(number)}, kMost));
  }
  queue.sent(2 * 5);
  queue.receiver_tells();
  queue.sent(2 * 5);
  queue.heard(1);
  queue.heard(2);
  const auto unheard = queue.take_unheard();
  REQUIRE(unheard.size() == 1);
  CHECK(unheard[0].sender == worker(4));
}

TEST_CASE("a receiver that does not tell costs nothing once it was sent a message") {
  MessageQueue queue;
  CHECK(queue.push("line", {worker(1)}, kMost));
  queue.sent(5);
  CHECK(queue.take_unheard().empty());
  CHECK(queue.push("line", {worker(1)}, kMost));
  queue.sent(1);
  CHECK(queue.take_unheard().size() == 1);
}

TEST_CASE("whatever is sent in whatever parts, the stream is the same") {
  std::mt19937 random(7);
  const auto up_to = [&](std::size_t most) { return random() % (most + 1); };
  MessageQueue queue;
  queue.receiver_tells();
  std::string expected;
  std::string got;
  std::size_t whole = 0;
  for (int step = 0; step < 200'000; ++step) {
    if (up_to(1) == 0) {
      const std::string line(up_to(300), static_cast<char>('a' + up_to(25)));
      if (queue.push(line, {worker(1)}, kMost)) {
        expected += line + "\n";
        ++whole;
      }
    } else if (const std::string next = next_of(queue); !next.empty()) {
      const std::size_t part = up_to(next.size());
      got += next.substr(0, part);
      queue.sent(part);
    }
    REQUIRE(queue.size() <= kMost);
    if (expected.size() > 100'000) {
      REQUIRE(expected.substr(0, got.size()) == got);
      expected.erase(0, got.size());
      got.clear();
    }
  }
  got += next_of(queue);
  queue.sent(next_of(queue).size());
  CHECK(expected == got);
  CHECK(queue.empty());
  CHECK(queue.take_unheard().size() == std::min<std::size_t>(whole, 65'536));
}

}  // namespace clusterd::core
