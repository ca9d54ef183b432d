#include "config/nearest.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using clusterd::config::nearest;

namespace {

constexpr std::string_view kKeys[] = {"command", "env", "drain_timeout", "kill_timeout", "max"};

}  // namespace

TEST_CASE("a slip of the keys finds the word that was meant") {
  struct {
    std::string_view word;
    std::string_view meant;
  } const table[] = {
      {"comand", "command"},               // one too few
      {"commmand", "command"},             // one too many
      {"xommand", "command"},              // a wrong one
      {"cmomand", "command"},              // two swapped
      {"COMMAND", "command"},              // the other case
      {"drain-timeout", "drain_timeout"},  // the other dash
      {"darin_tmieout", "drain_timeout"},  // two pairs swapped
      {"evn", "env"},
      {"mx", "max"},
      {"command", "command"},
  };
  for (const auto& [word, meant] : table) {
    CAPTURE(word);
    CHECK(nearest(word, kKeys) == meant);
  }
}

TEST_CASE("a word that is close to none finds none") {
  const std::string huge(1U << 20U, 'c');
  for (const std::string_view word : {"", "x", "workers", "cmd", "ev1l", "naemonv", "drain_tim_"}) {
    CAPTURE(word);
    CHECK(nearest(word, kKeys).empty());
  }
  CHECK(nearest(huge, kKeys).empty());
  CHECK(nearest("command", {}).empty());
}

TEST_CASE("of two words equally close the first wins, and the closest always") {
  constexpr std::string_view kWords[] = {"start", "stark", "stop"};
  CHECK(nearest("star", kWords) == "start");
  CHECK(nearest("starl", kWords) == "start");
  CHECK(nearest("stakr", kWords) == "stark");
}

TEST_CASE("two thirds of a word must be right") {
  constexpr std::string_view kWords[] = {"abcdef", "ab"};
  CHECK(nearest("abcdxx", kWords) == "abcdef");
  CHECK(nearest("abcxxx", kWords).empty());
  CHECK(nearest("ax", kWords).empty());
}
