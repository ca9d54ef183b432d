#include "common/notify.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using clusterd::notify::kLongest;
using clusterd::notify::kLongestStatus;
using clusterd::notify::parse;
using clusterd::notify::Said;

namespace {

std::string status_of(const std::string& text) { return parse("STATUS=" + text).status.value(); }

/// The same text so many times.
std::string times(std::size_t count, const std::string& text) {
  std::string result;
  for (; count > 0; --count) result += text;
  return result;
}

}  // namespace

TEST_CASE("each thing that a service can say is understood") {
  CHECK(parse("READY=1") == Said{.ready = true});
  CHECK(parse("STOPPING=1\n") == Said{.stopping = true});
  CHECK(parse("WATCHDOG=1") == Said{.watchdog = true});
  CHECK(parse("WATCHDOG=trigger") == Said{.watchdog_trigger = true});
  CHECK(parse("BARRIER=1") == Said{.barrier = true});
  CHECK(parse("STATUS=warming up: 3 of 7") == Said{.status = "warming up: 3 of 7"});
  CHECK(parse("EXTEND_TIMEOUT_USEC=5000000") == Said{.extend_timeout_usec = 5'000'000});
}

TEST_CASE("a datagram can say many things, and of one the last counts") {
  CHECK(parse("READY=1\nSTATUS=a=b\nMAINPID=4711\nWATCHDOG=1\n") ==
        Said{.ready = true, .watchdog = true, .status = "a=b"});
  CHECK(parse("STATUS=one\nSTATUS=two\nREADY=1\nREADY=0") == Said{.status = "two"});
  CHECK(parse("STATUS=") == Said{.status = ""});
}

TEST_CASE("what is not understood says nothing") {
  for (const char* text : {"",
                           "\n",
                           "\n\n\n",
                           "READY",
                           "READY=",
                           "READY=0",
                           "READY=11",
                           "READY=1 ",
                           " READY=1",
                           "ready=1",
                           "=",
                           "=1",
                           "X=READY=1",
                           "WATCHDOG=2",
                           "FDSTORE=1",
                           "EXTEND_TIMEOUT_USEC=",
                           "EXTEND_TIMEOUT_USEC=-1",
                           "EXTEND_TIMEOUT_USEC=1s",
                           "EXTEND_TIMEOUT_USEC= 1",
                           "EXTEND_TIMEOUT_USEC=99999999999999999999",
                           "READY=1\r"}) {
    CAPTURE(text);
    CHECK(parse(text) == Said{});
  }
  CHECK(parse(std::string("READY=1\0", 8)) == Said{});
}

TEST_CASE("a datagram that is too long says nothing, and one that is as long as it may be does") {
  const std::string ready = "\nREADY=1";
  CHECK(parse(std::string(kLongest - ready.size(), 'x') + ready).ready);
  CHECK(parse(std::string(kLongest - ready.size() + 1, 'x') + ready) == Said{});
}

TEST_CASE("a status is cut after so many characters, not in one") {
  CHECK(status_of(times(kLongestStatus, "x")) == times(kLongestStatus, "x"));
  CHECK(status_of(times(kLongestStatus + 1, "x")) == times(kLongestStatus, "x"));
  CHECK(status_of(times(500, "\u00e9")) == times(kLongestStatus, "\u00e9"));
  CHECK(status_of(times(500, "\U0001f600")) == times(kLongestStatus, "\U0001f600"));
}

TEST_CASE("a status can be printed: no orders to a terminal, nor anything that is not UTF-8") {
  CHECK(status_of("gr\u00fcn \u2014 \u65e5\u672c") == "gr\u00fcn \u2014 \u65e5\u672c");
  CHECK(status_of("\x1b[2J\r\t\x7f") == "?[2J???");
  CHECK(status_of(std::string("a\0b", 3)) == "a?b");
  CHECK(status_of("\u0080\u009b\u00a0") == "??\u00a0");
  CHECK(status_of("\u202e\u2028\u200f\u2066\u2069") == "?????");
  CHECK(status_of("\u2010\u202f\u2065") == "\u2010\u202f\u2065");
  CHECK(status_of("\xff\xc3") == "??");
}
