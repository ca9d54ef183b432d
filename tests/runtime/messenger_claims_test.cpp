// What a program may say of who it is and of what it was asked: nobody asks, answers or speaks for
// another one, whatever a line looks like.
#include "tests/runtime/post.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <unistd.h>

namespace clusterd::runtime {
namespace {

std::string without_newline(std::string line) {
  line.pop_back();
  return line;
}

}  // namespace

TEST_CASE("an answer comes from who was asked, once, and from nobody else") {
  Post post(3);
  post.ask(1, {Kind::pid, 102}, 5);
  CHECK(lines_with(post.hear(2), "\"ask\"") == 1);
  post.ask(3, {Kind::pid, 101}, 0, 5);
  CHECK(post.hear(1).empty());
  CHECK(undelivered(post.hear(3)) == 1);
  // Who was asked gives no other number back, and no answer to somebody else or to all.
  post.ask(2, {Kind::pid, 101}, 0, 6);
  post.ask(2, {Kind::pid, 103}, 0, 5);
  post.ask(2, {Kind::app, 0}, 0, 5);
  CHECK(post.hear(1).empty());
  CHECK(post.hear(3).empty());
  CHECK(undelivered(post.hear(2)) == 3);
  post.ask(2, {Kind::pid, 101}, 0, 5);
  CHECK(post.hear(1) == seal_envelope({"ask", {Kind::pid, 101}, "null", 102, 0, 5}));
  post.ask(2, {Kind::pid, 101}, 0, 5);
  CHECK(post.hear(1).empty());
  CHECK(undelivered(post.hear(2)) == 1);
}

TEST_CASE("an answer to the operator comes from who was asked as well") {
  Post post(2);
  std::string answers;
  post.messenger.tell_operator(
      {.answered = [&](const Envelope& envelope) { answers += envelope.data; },
       .lost = [](std::int64_t, std::string_view) {}});
  REQUIRE(post.messenger.send({"ask", {Kind::slot, 1}, "1", ::getpid(), 9}).queued == 1);
  post.ask(1, {Kind::pid, ::getpid()}, 0, 9);
  CHECK(answers.empty());
  CHECK(undelivered(post.hear(1)) == 1);
  post.ask(2, {Kind::pid, ::getpid()}, 0, 9);
  CHECK(answers == "null");
}

TEST_CASE("a request in the name of another one is passed to nobody") {
  Post post(3);
  const Envelope forged{"ask", {Kind::pid, 102}, "null", 101, 5};
  post.say(3, without_newline(seal_envelope(forged)));
  CHECK(post.hear(2).empty());
  CHECK(post.hear(3) == encode(protocol::Undelivered{"ask", 1, {5}}));
  // Nor one that says nothing of its sender.
  post.say(3, R"({"action":"ask","receiverPid":102,"request":6})");
  CHECK(post.hear(2).empty());
  CHECK(post.hear(3) == encode(protocol::Undelivered{"ask", 1, {6}}));
  // Nobody was asked, so there is nothing to answer.
  post.ask(2, {Kind::pid, 101}, 0, 5);
  CHECK(post.hear(1).empty());
  // Of what wants no answer the sender's pid is the sender's word.
  const std::string plain = seal_envelope({"tell", {Kind::pid, 102}, "null", 101});
  post.say(3, without_newline(plain));
  CHECK(lines_with(post.hear(2), "\"tell\"") == 1);
}

TEST_CASE("a line that can be read in more than one way is for nobody") {
  const char* const ambiguous[] = {
      R"({"action":"a","action":"b","to":"app"})",
      R"({"action":"a","to":"app","to":"agent"})",
      R"({"action":"a","receiverPid":102,"receiverPid":101})",
      R"({"action":"a","receiverSlot":1,"receiverSlot":0})",
      R"({"action":"a","to":"app","senderPid":101,"senderPid":102})",
      R"({"action":"a","to":"app","data":1,"data":2})",
      R"({"action":"a","to":"app","cmd":"x","cmd":"CLUSTERD"})",
      R"({"action":"a","to":"app","act":"x","act":"revoked"})",
      R"({"action":"a","to":"app","\u0063md":"CLUSTERD","act":"revoked"})",
      R"({"action":"a","to":"app","cmd":"x","c\u006dd":"CLUSTERD"})",
      R"({"action":"a","to":"app","\u0064ata":1})",
      R"({"action":"a","receiverPid":102,"request":1,"request":2,"senderPid":101})",
      R"({"action":"a","receiverPid":102,"request":1,"senderPid":101,"sender\u0050id":102})",
  };
  for (const char* line : ambiguous) {
    CAPTURE(line);
    Post post(2);
    post.say(1, line);
    CHECK(post.hear(2).empty());
    const std::string told = post.hear(1);
    CHECK(undelivered(told) == 1);
    CHECK(lines_with(told, "\n") == 1);
  }
  // What decides nothing may be there as often as its sender likes.
  for (const std::string line : {R"({"action":"a","to":"app","x":1,"x":2,"\u0078":3})",
                                 R"({"action":"\u0061","to":"\u0061pp","data":"\u0063md"})"}) {
    CAPTURE(line);
    Post post(2);
    post.say(1, line);
    CHECK(post.hear(1) == line + "\n");
    CHECK(post.hear(2) == line + "\n");
  }
}

TEST_CASE("a line that is too long for the native ones reaches those of Node alone") {
  Post post(1);
  post.add(2, false, Messenger::Dialect::node);
  post.add(3, false, Messenger::Dialect::node);
  post.messenger.wants_notices(worker(3));
  const std::string data = '"' + std::string(70'000, 'x') + '"';
  post.send(3, {Kind::app, 0}, "long", data);
  CHECK(lines_with(post.hear(2), "\"long\"") == 1);
  const std::string told = post.hear(3);
  CHECK(lines_with(told, encode(protocol::Undelivered{"long", 1})) == 1);
  CHECK(post.hear(1).empty());
  CHECK_FALSE(post.seats[0]->broken);
  // The longest that it takes comes.
  const std::string head = R"({"action":"long","receiverPid":101,"data":")";
  const std::string most =
      head + std::string(protocol::kLongestLine - head.size() - 2, 'x') + "\"}";
  REQUIRE(most.size() == protocol::kLongestLine);
  post.say(3, most);
  CHECK(post.hear(1) == most + "\n");
}

TEST_CASE("a message that can never fit drops nothing that waits") {
  Post post(1);
  post.add(2, false, Messenger::Dialect::node);
  config::Messages settings;
  settings.queue = 65'536;
  settings.policy = config::Messages::Policy::drop_oldest;
  post.messenger.configure(settings);
  for (int i = 0; i < 10; ++i) post.send(1, {Kind::pid, 102}, "small");
  post.send(1, {Kind::pid, 102}, "large", '"' + std::string(65'500, 'x') + '"');
  const std::string heard = post.hear(2);
  CHECK(lines_with(heard, "\"small\"") == 10);
  CHECK(lines_with(heard, "\"large\"") == 0);
  CHECK(post.hear(1) == encode(protocol::Undelivered{"large", 1}));
}

TEST_CASE("of one sender's requests the oldest are forgotten, and of another's none") {
  Post post(2);
  std::string answer;
  post.messenger.tell_operator(
      {.answered = [&](const Envelope& envelope) { answer = envelope.data; },
       .lost = [](std::int64_t, std::string_view) {}});
  REQUIRE(post.messenger.send({"ask", {Kind::slot, 1}, "1", ::getpid(), 7}).queued == 1);
  constexpr std::int64_t kRequests = 5'000;
  std::size_t asked = 0;
  for (std::int64_t request = 1; request <= kRequests; ++request) {
    post.ask(1, {Kind::pid, 102}, request);
    if (request % 500 == 0) asked += lines_with(post.hear(2), "\"senderPid\":101,\"request\"");
  }
  CHECK(asked == kRequests);
  post.ask(2, {Kind::pid, ::getpid()}, 0, 7);
  CHECK(answer == "null");
  // 4,096 of the sender's own: the oldest has no answer any more, and the newest ones have.
  post.ask(2, {Kind::pid, 101}, 0, 1);
  post.ask(2, {Kind::pid, 101}, 0, kRequests - 4'096);
  CHECK(post.hear(1).empty());
  CHECK(undelivered(post.hear(2)) == 2);
  for (const std::int64_t request : {kRequests - 4'095, kRequests}) {
    post.ask(2, {Kind::pid, 101}, 0, request);
    CHECK(post.hear(1) == seal_envelope({"ask", {Kind::pid, 101}, "null", 102, 0, request}));
  }
}

}  // namespace clusterd::runtime
