#include "config/parse.h"
#include "tests/support/config_texts.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;

TEST_CASE("the log's level is one of six") {
  int level = 0;
  for (const std::string name : {"trace", "debug", "info", "warn", "error", "off"}) {
    const Settings settings = good(in_worker("[log]\nlevel = '" + name + "'"));
    CHECK(settings.log.level == static_cast<LogLevel>(level++));
  }
  CHECK(bad_worker("[log]\nlevel = 'Warn'") ==
        "6: unknown log level 'Warn'; expected 'trace', 'debug', 'info', 'warn', 'error' or 'off'; "
        "did you mean 'warn'?");
  CHECK(bad_top("log = 'info'") == "1: log: expected a table, got string 'info'");
}

TEST_CASE("a log is rotated by the day or the hour or at a size") {
  const auto log = [](const std::string& keys) {
    return good(in_worker("[log]\nfile = '/var/log/x'\n" + keys)).log;
  };
  CHECK_FALSE(log("").rules.rotates());
  CHECK(log("rotate = 'daily'").rules == LogRules{.every = LogRules::Every::day});
  CHECK(log("rotate = 'hourly'").rules.every == LogRules::Every::hour);
  CHECK(log("rotate = '100MiB'").rules.every == LogRules::Every::size);
  CHECK(log("rotate = '100MiB'").rules.size == std::uint64_t{100} << 20U);
  CHECK(log("keep = 7\ngzip = false\nmax_total = '2GiB'").rules ==
        LogRules{.keep = 7, .gzip = false, .max_total = std::uint64_t{2} << 30U});
  CHECK(log("max_total = 0").rules.max_total == 0);
  CHECK(log("format = 'json'").format == LogFormat::json);
  const std::string wanted =
      "7: log.rotate: expected 'daily', 'hourly', or a size such as '100MiB', at least 64KiB, got ";
  const auto with_file = [](const std::string& line) {
    return bad_worker("[log]\nfile = '/x'\n" + line);
  };
  CHECK(with_file("rotate = 'weekly'") == wanted + "string 'weekly'");
  CHECK(with_file("rotate = '1KiB'") == wanted + "string '1KiB'");
  CHECK(with_file("rotate = 7") == wanted + "integer 7");
  CHECK(bad_worker("[log]\nrotate = 'daily'") ==
        "6: log.rotate: there is nothing to rotate without log.file");
  CHECK(bad_worker("[log]\nformat = 'xml'") ==
        "6: unknown log format 'xml'; expected 'text' or 'json'");
}
