#include "master/runtime/output_frame.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>

namespace clusterd::runtime {
namespace {

using log::Stream;
using std::chrono::milliseconds;
using TimePoint = std::chrono::system_clock::time_point;

/// With the environment's time zone, and without its date and time of the length of the log's own.
std::string around(Stream stream, std::string_view lines) {
  constexpr std::size_t kDate = sizeof "2026-11-22 23:50:00.123 " - 1;
  const std::string text =
      OutputFrame(3, 4711).around(stream, lines, TimePoint(milliseconds(1'000'000'000'042)));
  std::string rest;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin) + 1;
    REQUIRE(end - begin > kDate);
    CHECK(text.substr(begin + 19, 5) == ".042 ");
    rest += text.substr(begin + kDate, end - begin - kDate);
    begin = end;
  }
  return rest;
}

}  // namespace

TEST_CASE("each line of a worker begins with when, where and who") {
  CHECK(around(Stream::out, "one\n") == "stdout  worker-3[4711] one\n");
  CHECK(around(Stream::error, "one\n\ntwo\n") ==
        "stderr  worker-3[4711] one\nstderr  worker-3[4711] \nstderr  worker-3[4711] two\n");
  CHECK(around(Stream::error, "").empty());
}

TEST_CASE("what a worker prints moves no cursor and ends no line of the log") {
  CHECK(around(Stream::out, "a\tb \x1b[2Jc\rd\x7f\n") ==
        "stdout  worker-3[4711] a\tb \\x1b[2Jc\\x0dd\\x7f\n");
  CHECK(around(Stream::out, std::string_view("\0\n", 2)) == "stdout  worker-3[4711] \\x00\n");
  CHECK(around(Stream::out,
               "\xc2\x9b"
               "1m \xc3\xa9 \xff\n") == "stdout  worker-3[4711] \\x9b1m \xc3\xa9 \xff\n");
}

TEST_CASE("the time is the log's: local, with milliseconds") {
  const std::time_t seconds = 1'000'000'000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char date[32];
  REQUIRE(std::strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &local) == 19);
  CHECK(OutputFrame(0, 1).around(Stream::out, "x\n", TimePoint(milliseconds(1'000'000'000'007))) ==
        std::string(date) + ".007 stdout  worker-0[1] x\n");
}

}  // namespace clusterd::runtime
