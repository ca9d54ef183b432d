#include "worker/src/messages.h"

#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::detail {
namespace {

using namespace std::chrono_literals;
using test::eventually;

/// The messages of a program, whose master is the other end of a socket.
struct Program {
  Program() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    ours.reset(ends[0]);
    master.reset(ends[1]);
    outbox = std::make_shared<Outbox>(ours.get());
    messages = std::make_unique<Messages>(outbox, [this] { ++woken; });
  }

  void turn() {
    messages->begin_turn();
    messages->turn([](const auto& call) { call(); });
    (void)outbox->flush();
  }

  std::string said() {
    char some[65536];
    turn();
    const ssize_t got = ::recv(master.get(), some, sizeof some, MSG_DONTWAIT);
    return {some, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }

  /// Asks slot 3, and gives the request's number.
  std::int64_t ask(Duration timeout = 1h) {
    REQUIRE(messages->request(To::slot(3), "count", "1", timeout, [this](const Answer& answer) {
      answers.push_back(std::to_string(static_cast<int>(answer.outcome)) + " " +
                        std::string(answer.data));
    }));
    const std::string line = said();
    const auto envelope = open_envelope(*check_json(line));
    REQUIRE(envelope.has_value());
    CHECK(envelope->sender_pid == ::getpid());
    return envelope->request;
  }

  [[nodiscard]] bool timer_is_over() const {
    pollfd readable{messages->timer(), POLLIN, 0};
    return ::poll(&readable, 1, 0) == 1;
  }

  UniqueFd ours;
  UniqueFd master;
  std::shared_ptr<Outbox> outbox;
  std::unique_ptr<Messages> messages;
  std::vector<std::string> answers;
  int woken = 0;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("an answer ends the request with its number, once") {
  Program program;
  const std::int64_t first = program.ask();
  const std::int64_t second = program.ask();
  CHECK(second == first + 1);
  program.messages->hear(Envelope{"reply", {}, "[2]", 7, 0, second});
  program.messages->hear(Envelope{"reply", {}, "[2]", 7, 0, second});
  program.messages->hear(Envelope{"reply", {}, "[1]", 7, 0, first});
  program.turn();
  CHECK(program.answers == Lines{"0 [2]", "0 [1]"});
}

TEST_CASE("a request that is not answered in time ends so, and what comes later is dropped") {
  Program program;
  const std::int64_t late = program.ask(20ms);
  const std::int64_t patient = program.ask();
  CHECK_FALSE(program.timer_is_over());
  CHECK(eventually([&] { return program.timer_is_over(); }, 10s));
  program.turn();
  CHECK(program.answers == Lines{"1 null"});
  CHECK_FALSE(program.timer_is_over());
  program.messages->hear(Envelope{"reply", {}, "1", 7, 0, late});
  program.messages->hear(Envelope{"reply", {}, "2", 7, 0, patient});
  program.turn();
  CHECK(program.answers == Lines{"1 null", "0 2"});
}

TEST_CASE("the master says which requests failed, and how many other messages") {
  Program program;
  std::string told;
  program.messages->on_undelivered = [&](std::string_view action, std::int64_t count) {
    told += std::string(action) + std::to_string(count);
  };
  const std::int64_t first = program.ask();
  const std::int64_t second = program.ask();
  program.messages->hear(protocol::Undelivered{"count", 1, {first}});
  program.messages->hear(protocol::Gone{{second, 12}});
  program.messages->hear(protocol::Undelivered{"", 3, {11}});
  program.turn();
  CHECK(program.answers == Lines{"2 null", "3 null"});
  CHECK(told == "2");
}

TEST_CASE("when the master is gone no answer will come") {
  Program program;
  program.ask();
  program.messages->master_is_gone();
  program.turn();
  CHECK(program.answers == Lines{"3 null"});
}

TEST_CASE("an answer goes to who asked, with the number") {
  Program program;
  CHECK(program.messages->reply({77, 5}, "[1]"));
  CHECK(program.said() ==
        seal_envelope({"reply", {Recipient::Kind::pid, 77}, "[1]", ::getpid(), 0, 5}));
  CHECK(program.messages->reply({77, 0}, "[1]"));  // no request
  CHECK(program.said().empty());
}

TEST_CASE("the master is told how many messages were heard, in the turn that heard them") {
  Program program;
  int heard = 0;
  program.messages->on("a", [&](const Message&) { ++heard; });
  program.messages->hear(Envelope{"a", {}, "1", 7});
  program.messages->hear(Envelope{"nobody's", {}, "1", 7});
  CHECK(program.said() == encode(protocol::Heard{2}));
  CHECK(heard == 1);
  CHECK(program.said().empty());
}

TEST_CASE("the loop is woken once for all that is sent outside of its turn") {
  Program program;
  CHECK(program.messages->send(To::app(), "a", "1"));
  CHECK(program.messages->send(To::app(), "b", "1"));
  CHECK(program.woken == 1);
  program.turn();
  program.messages->on("a",
                       [&](const Message&) { CHECK(program.messages->send(To::app(), "c", "1")); });
  program.messages->hear(Envelope{"a", {}, "1", 7});
  program.turn();
  CHECK(program.woken == 1);
  CHECK(program.messages->send(To::app(), "d", "1"));
  CHECK(program.woken == 2);
}

TEST_CASE("data may be as deep as the master takes it in an envelope and have any number of keys") {
  Program program;
  const auto nested = [](int depth) {
    const auto brackets = static_cast<std::size_t>(depth);
    return std::string(brackets, '[') + std::string(brackets, ']');
  };
  CHECK(program.messages->send(To::app(), "deep", nested(kMaxJsonDepth - 1)));
  CHECK(check_json(program.said()).has_value());
  CHECK_THROWS_AS((void)program.messages->send(To::app(), "deep", nested(kMaxJsonDepth)),
                  std::invalid_argument);
  std::string keys = "{";
  for (std::size_t key = 0; key <= kMaxJsonMembers; ++key) {
    keys += (key == 0 ? "\"" : ",\"") + std::to_string(key) + "\":0";
  }
  keys += '}';
  CHECK(program.messages->send(To::app(), "config", keys));
  CHECK(check_json(program.said()).has_value());
}

TEST_CASE("a handler that is none is refused or takes off the one before") {
  Program program;
  CHECK_THROWS_AS((void)program.messages->request(To::slot(3), "count", "1", 1h, nullptr),
                  std::invalid_argument);
  int calls = 0;
  program.messages->once("a", [&](const Message&) { ++calls; });
  program.messages->once("a", nullptr);
  program.messages->hear(Envelope{"a", {}, "1", 7});
  program.turn();
  CHECK(calls == 0);
}

TEST_CASE("a callback may replace itself while it is called") {
  Program program;
  std::string told;
  auto& messages = *program.messages;
  messages.on_event = [&messages, &told, text = std::string(100, 'x')](std::string_view event) {
    messages.on_event = nullptr;
    told = text + std::string(event);
  };
  messages.on_pressure = [&messages, &told, text = std::string(100, 'y')](std::int64_t, bool) {
    messages.on_pressure = nullptr;
    told += text;
  };
  messages.on_undelivered = [&messages, &told, text = std::string(100, 'z')](std::string_view,
                                                                             std::int64_t) {
    messages.on_undelivered = nullptr;
    told += text;
  };
  messages.hear(protocol::Happened{"e"});
  messages.hear(protocol::Pressure{7, true});
  messages.hear(protocol::Undelivered{"a", 1});
  program.turn();
  CHECK(told == std::string(100, 'x') + "e" + std::string(100, 'y') + std::string(100, 'z'));
}

}  // namespace clusterd::detail
