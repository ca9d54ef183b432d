#include "common/envelope.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace clusterd;
using Kind = Recipient::Kind;

namespace {

std::optional<Envelope> open(std::string_view line) {
  const auto json = check_json(line);
  REQUIRE(json.has_value());
  return open_envelope(*json);
}

}  // namespace

TEST_CASE("an envelope says whom it is for") {
  struct Row {
    std::string_view line;
    Recipient to;
  };
  const Row table[] = {
      {R"({"action":"a"})", {Kind::unsaid, 0}},
      {R"({"action":"a","to":null})", {Kind::unsaid, 0}},
      {R"({"action":"a","to":"all"})", {Kind::all, 0}},
      {R"({"action":"a","to":"app"})", {Kind::app, 0}},
      {R"({"action":"a","to":"agent"})", {Kind::agent, 0}},
      {R"({"action":"a","to":"random"})", {Kind::random, 0}},
      {R"({"action":"a","to":"parent"})", {Kind::elsewhere, 0}},
      {R"({"action":"a","to":7})", {Kind::elsewhere, 0}},
      {R"({"action":"a","receiverPid":42})", {Kind::pid, 42}},
      {R"({"action":"a","to":"app","receiverPid":42})", {Kind::pid, 42}},
      {R"({"action":"a","receiverSlot":3})", {Kind::slot, 3}},
      {R"({"action":"a","receiverPid":"42","to":"app"})", {Kind::pid, 42}},  // as Egg says it
      {R"({"action":"a","receiverPid":"42x","to":"app"})", {Kind::app, 0}},
  };
  for (const Row& row : table) {
    CAPTURE(row.line);
    const auto envelope = open(row.line);
    REQUIRE(envelope.has_value());
    CHECK((envelope->to == row.to));
    CHECK(envelope->action == "a");
    CHECK(envelope->data == "null");
  }
}

TEST_CASE("data stays as it was written") {
  const auto envelope =
      open(R"({"data": {"a" : [1.0e2, "\u00e9\ud83d"]} ,"action":"\u0061","senderPid":9})");
  REQUIRE(envelope.has_value());
  CHECK(envelope->action == "a");
  CHECK(envelope->data == R"({"a" : [1.0e2, "\u00e9\ud83d"]})");
  CHECK(envelope->sender_pid == 9);
}

TEST_CASE("what has no text as its action is no envelope") {
  for (const char* line : {"{}", "[]", "\"action\"", "7", R"({"action":1})", R"({"Action":"a"})"}) {
    CAPTURE(line);
    CHECK_FALSE(open(line).has_value());
  }
}

TEST_CASE("an envelope is one line, and is opened as it was sealed") {
  const Recipient all[] = {{Kind::unsaid, 0}, {Kind::all, 0},    {Kind::app, 0}, {Kind::agent, 0},
                           {Kind::random, 0}, {Kind::pid, 1234}, {Kind::slot, 0}};
  for (const Recipient& to : all) {
    const Envelope envelope{"a \"b\"\n\x01", to, R"({"x":[1,2]})", 77};
    const std::string line = seal_envelope(envelope);
    CAPTURE(line);
    CHECK(line.find('\n') == line.size() - 1);
    CHECK((open(line) == envelope));
  }
}

TEST_CASE("JSON of several lines becomes one of the same meaning") {
  CHECK(on_one_line("{\r\n  \"a\":\n 1\n}") == "{    \"a\":  1 }");
  CHECK(on_one_line("7") == "7");
  JsonError wrong;
  CHECK_FALSE(on_one_line("{\"a\":\n", &wrong).has_value());
  CHECK(wrong.offset == 6);
  CHECK_FALSE(on_one_line("\"a\nb\"").has_value());  // a line break may not be in a string
  CHECK_FALSE(on_one_line("").has_value());
}
