#include "common/log_line.h"

#include "common/timestamp.h"
#include "master/ctl/log_text.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string>

using namespace clusterd;
using namespace std::chrono_literals;

namespace {

const auto kWhen = std::chrono::system_clock::from_time_t(1'000'000'000) + 42ms;

}  // namespace

TEST_CASE("times are said with milliseconds") {
  CHECK(utc_time(kWhen) == "2001-09-09T01:46:40.042Z");
  CHECK(utc_time(kWhen - 42ms) == "2001-09-09T01:46:40.000Z");
  CHECK(utc_time(std::chrono::system_clock::from_time_t(0) - 1ms) == "1969-12-31T23:59:59.999Z");
  const std::time_t seconds = 1'000'000'000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char date[32];
  REQUIRE(std::strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &local) == 19);
  CHECK(local_time(kWhen) == std::string(date) + ".042");
}

TEST_CASE("a line as JSON says who and where or how important") {
  CHECK(
      log_line_json(kWhen, {LogOrigin::Kind::worker, 3, 4711}, {"stderr", true}, "no \"db\"\x1b") ==
      R"({"time":"2001-09-09T01:46:40.042Z","from":"worker","slot":3,"pid":4711,)"
      R"("stream":"stderr","text":"no \"db\"\u001b"})");
  CHECK(log_line_json(kWhen, {LogOrigin::Kind::master, 0, 1}, {"info"}, "ready") ==
        R"({"time":"2001-09-09T01:46:40.042Z","from":"master","pid":1,"level":"info",)"
        R"("text":"ready"})");
  CHECK(log_line_json(kWhen, {LogOrigin::Kind::agent, 0, 7}, {"stdout", true}, "\xff") ==
        R"({"time":"2001-09-09T01:46:40.042Z","from":"agent","pid":7,"stream":"stdout",)"
        "\"text\":\"\xEF\xBF\xBD\"}");
}

TEST_CASE("a line that is shown stands as it does in the log") {
  const std::string time = local_time(kWhen);
  const auto text = [](const LogOrigin& origin, LogLabel label, const char* what, bool colour) {
    return ctl::log_text(log_line_json(kWhen, origin, label, what), colour);
  };
  const LogOrigin worker{LogOrigin::Kind::worker, 0, 4711};
  const LogOrigin master{LogOrigin::Kind::master, 0, 4708};
  CHECK(text(worker, {"stderr", true}, "a\tb\x1b[2J\r", false) ==
        time + " stderr  worker-0[4711] a\tb\\x1b[2J\\x0d");
  CHECK(text(master, {"info"}, "stopped", false) == time + " info    master[4708] stopped");
  CHECK(text(worker, {"stdout", true}, "x", true) ==
        time + " stdout  \x1b[36mworker-0[4711]\x1b[0m x");
  CHECK(text({LogOrigin::Kind::worker, 10, 1}, {"stdout", true}, "x", true) ==
        time + " stdout  \x1b[36mworker-10[1]\x1b[0m x");
  CHECK(text(master, {"error"}, "x", true) == time + " error   \x1b[31mmaster[4708]\x1b[0m x");
  CHECK(ctl::log_text(R"({"dropped":17})", false) == "(17 lines were not read in time)");
  CHECK(ctl::log_text(R"({"time":"\u001b[2J"})", false).find('\x1b') == std::string::npos);
}
