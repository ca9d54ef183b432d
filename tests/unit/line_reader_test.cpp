#include "common/line_reader.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using clusterd::LineReader;

namespace {

std::vector<std::string> take_all(LineReader& reader) {
  std::vector<std::string> lines;
  while (const auto line = reader.next()) lines.emplace_back(*line);
  return lines;
}

std::vector<std::string> read_in_pieces(std::string_view text, std::size_t piece) {
  LineReader reader(100);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    reader.add(text.substr(at, piece));
    for (std::string& line : take_all(reader)) lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace

TEST_CASE("a stream is the same lines wherever it is split") {
  constexpr std::string_view kText =
      "one\ntwo\r\n\n\r\nth\rree\r\r\nfour is longer than the others\n";
  const std::vector<std::string> lines{"one", "two",       "",
                                       "",    "th\rree\r", "four is longer than the others"};
  for (std::size_t piece = 1; piece <= kText.size(); ++piece) {
    CAPTURE(piece);
    CHECK(read_in_pieces(kText, piece) == lines);
  }
  for (std::size_t at = 0; at <= kText.size(); ++at) {
    CAPTURE(at);
    LineReader reader(100);
    reader.add(kText.substr(0, at));
    std::vector<std::string> found = take_all(reader);
    reader.add(kText.substr(at));
    for (std::string& line : take_all(reader)) found.push_back(std::move(line));
    CHECK(found == lines);
  }
}

TEST_CASE("a line without its end is no line yet") {
  LineReader reader(100);
  CHECK_FALSE(reader.next());
  reader.add("half");
  CHECK_FALSE(reader.next());
  reader.add("");
  CHECK_FALSE(reader.next());
  reader.add(" a line\nand");
  CHECK(reader.next() == "half a line");
  CHECK_FALSE(reader.next());
  reader.add("\n");
  CHECK(reader.next() == "and");
}

TEST_CASE("bytes are only bytes: NUL and all others are part of a line") {
  using namespace std::string_view_literals;
  LineReader reader(100);
  reader.add("a\0b\xff\n"sv);
  CHECK(reader.next() == "a\0b\xff"sv);
}

TEST_CASE("an unfinished line may be as long as allowed, and not a byte longer") {
  LineReader reader(5);
  reader.add("12345");
  CHECK_FALSE(reader.next());
  CHECK_FALSE(reader.too_long());
  reader.add("6");
  CHECK_FALSE(reader.next());
  CHECK(reader.too_long());
}

TEST_CASE("only what is left over counts for the longest line") {
  LineReader reader(5);
  reader.add("123\n456\n78901");
  CHECK(take_all(reader) == std::vector<std::string>{"123", "456"});
  CHECK_FALSE(reader.too_long());
  reader.add("\n");
  CHECK(reader.next() == "78901");
  CHECK_FALSE(reader.too_long());
}

TEST_CASE("a stream of any length is read with no more than one line kept") {
  LineReader reader(5);
  std::size_t lines = 0;
  for (int round = 0; round < 10'000; ++round) {
    reader.add("ab\ncd\nef");
    lines += take_all(reader).size();
    REQUIRE_FALSE(reader.too_long());
    reader.add("gh\n");
    lines += take_all(reader).size();
  }
  CHECK(lines == 30'000);
}
