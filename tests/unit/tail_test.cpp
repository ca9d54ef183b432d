#include "common/tail.h"

#include "common/json.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

namespace clusterd {
namespace {

using namespace std::string_literals;

std::string tail_of(const std::string& bytes, std::size_t most = 4096) {
  Tail tail(most);
  tail.add(bytes);
  return tail.text();
}

}  // namespace

TEST_CASE("a tail is what was said, if that was little") {
  CHECK(tail_of("").empty());
  CHECK(tail_of("one\ntwo") == "one\ntwo");
  CHECK(tail_of("one\n\ttwo\n\n") == "one\n\ttwo");
  CHECK(tail_of("0123456789", 10) == "0123456789");
  CHECK(tail_of("0123456789\n", 10) == "0123456789");
}

TEST_CASE("a tail begins with the first whole line") {
  CHECK(tail_of("0123\n456\n789", 10) == "456\n789");
  CHECK(tail_of("0\n1\n2\n3\n4\n", 6) == "2\n3\n4");
  CHECK(tail_of("first\n456\n7890\n", 8) == "456\n7890");  // a line begins exactly there
  CHECK(tail_of("first\n456\n7890\n", 7) == "7890");
}

TEST_CASE(
    "a line that is longer than the tail is shown from anywhere, but not from within a letter") {
  CHECK(tail_of("0123456789abc", 10) == "3456789abc");
  CHECK(tail_of("0123456789abc\n", 10) == "3456789abc");
  CHECK(tail_of("aaaa\xC3\xA4zzzzzzzzz", 10) == "zzzzzzzzz");
  CHECK(tail_of("aaaa\xF0\x9F\x98\x80zzzzzzz", 10) == "zzzzzzz");
}

TEST_CASE("however it comes in pieces, the tail is the same") {
  std::string all;
  for (int line = 0; line < 100; ++line) all += "line " + std::to_string(line) + "\n";
  const std::string wanted = tail_of(all, 50);
  CHECK(wanted == "line 94\nline 95\nline 96\nline 97\nline 98\nline 99");
  for (const std::size_t step : {1U, 2U, 3U, 7U, 49U, 50U, 51U, 52U, 101U, 500U}) {
    CAPTURE(step);
    Tail tail(50);
    for (std::size_t at = 0; at < all.size(); at += step) tail.add(all.substr(at, step));
    CHECK(tail.text() == wanted);
  }
}

TEST_CASE("a tail is text, whatever was printed") {
  CHECK(tail_of("a\0b\rc\ad\x7F"s) == "abcd");
  CHECK(tail_of("\x1b[1;31mred\x1b[0m \x1b[K\x1b]0;title\a.") == "red ]0;title.");
  CHECK(tail_of("torn \x1b[31") == "torn ");
  CHECK(tail_of("csi \xC2\x9B"
                "31m, nbsp \xC2\xA0") == "csi 31m, nbsp \xC2\xA0");
  CHECK(tail_of("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80") == "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(tail_of("\xFFz\xC3") == "\xEF\xBF\xBDz\xEF\xBF\xBD");
}

TEST_CASE("a tail is never longer than said, and never anything but text") {
  CHECK(tail_of(std::string(4096, '\xFF')).size() <= 4096);
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Tail tail(64);
    for (int piece = 0; piece < 5; ++piece) {
      std::string bytes(random() % 100, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      tail.add(bytes);
    }
    const std::string text = tail.text();
    CHECK(text.size() <= 64);
    for (std::string_view rest = text; !rest.empty();) {
      const Utf8Sequence sequence = scan_utf8(rest);
      REQUIRE(sequence.whole);
      CHECK((rest[0] == '\n' || rest[0] == '\t' || static_cast<unsigned char>(rest[0]) >= 0x20));
      rest.remove_prefix(sequence.length);
    }
  }
}

}  // namespace clusterd
