#include "config/quantity.h"
#include "tests/support/config_texts.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;
using namespace std::chrono_literals;

TEST_CASE("without a word the pool is looked after as the design has it") {
  const Settings settings = good(kGood);
  CHECK(settings.worker.heartbeat_timeout == 30s);
  CHECK(settings.worker.recycle.requests == 0);
  CHECK(settings.worker.recycle.lifetime == 0s);
  CHECK(settings.worker.recycle.memory_bytes == 0);
  CHECK(settings.worker.recycle.jitter == 0.1);
  CHECK(settings.restart.limit == 0);
  CHECK(settings.restart.window == 60s);
  CHECK(settings.restart.on_giveup == OnGiveup::degrade);
  CHECK(settings.restart.giveup_retry == 60s);
  CHECK(settings.reload.surge == 1);
  CHECK(settings.reload.max_unavailable == 0);
  CHECK(settings.reload.max_generations == 3);
  CHECK(settings.reload.settle == 1s);
  CHECK(settings.log.capture);
  CHECK(settings.hooks.empty());
}

TEST_CASE("recycling is a table within [worker], or one of its own") {
  for (const std::string lines :
       {"recycle = { requests = 1000, lifetime = '12h', memory = '512MiB', jitter = 0 }",
        "[worker.recycle]\nrequests = 1_000\nlifetime = '12h'\nmemory = 536870912\njitter = 0.0"}) {
    const Recycle expected{1000, 12h, 512U << 20U, 0.0};
    CHECK(good(in_worker(lines)).worker.recycle == expected);
  }
  CHECK(good(in_worker("recycle = {}")).worker.recycle == Recycle{});
  CHECK(good(in_worker("recycle.jitter = 1")).worker.recycle.jitter == 1.0);
  CHECK(bad_worker("recycle = true") == "5: worker.recycle: expected a table, got boolean true");
  CHECK(bad_worker("[worker.recycle]\nlifetme = '1h'") ==
        "6: unknown key 'lifetme' in worker.recycle; did you mean 'lifetime'?");
}

TEST_CASE("recycling's numbers are in their bounds") {
  each_is_bad(
      &bad_worker, "5: worker.recycle.",
      {{"recycle.requests = -1",
        "requests: expected an integer from 0 to 1000000000000, got "
        "integer -1"},
       {"recycle.lifetime = 60", "lifetime: expected a duration such as '5s', got integer 60"},
       {"recycle.memory = '512MB'",
        "memory: expected a number of bytes, or a string such as '512MiB', got string '512MB'"},
       {"recycle.memory = -1",
        "memory: expected a number of bytes, or a string such as '512MiB', got integer -1"},
       {"recycle.memory = 1e9",
        "memory: expected a number of bytes, or a string such as '512MiB', got a number with a "
        "fraction"},
       {"recycle.memory = 512", "memory: must be 0 or at least 1MiB, got 512"},
       {"recycle.memory = '2000TiB'", "memory: is more than 1024TiB"},
       {"recycle.jitter = 1.01",
        "jitter: expected a number from 0 to 1, got a number with a "
        "fraction"},
       {"recycle.jitter = -1", "jitter: expected a number from 0 to 1, got integer -1"},
       {"recycle.jitter = nan",
        "jitter: expected a number from 0 to 1, got a number with a "
        "fraction"},
       {"recycle.jitter = '0.1'", "jitter: expected a number from 0 to 1, got string '0.1'"}});
}

TEST_CASE("bytes may have a unit") {
  const std::vector<std::pair<std::string, std::uint64_t>> right = {
      {"0", 0},
      {"1048576", 1U << 20U},
      {"1K", 1U << 10U},
      {"300M", 300U << 20U},
      {"512MiB", 512U << 20U},
      {"1GiB", 1U << 30U},
      {"1G", 1U << 30U},
      {"1T", std::uint64_t{1} << 40U},
      {"1024TiB", kMostBytes},
  };
  for (const auto& [text, bytes] : right) {
    CAPTURE(text);
    CHECK(parse_bytes(text) == bytes);
  }
  for (const char* const text :
       {"", "M", "1 M", "1m", "1MB", "1Mi", "1kB", "-1", "+1", "0x10", "1.5G"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_bytes(text).has_value());
  }
  for (const char* const text : {"1025TiB", "99999999999999999999", "99999999999999999999G"}) {
    CAPTURE(text);
    CHECK(parse_bytes(text).value() > kMostBytes);
  }
}

TEST_CASE("a quantity is shown in the largest unit that it fills") {
  CHECK(duration_text(0s) == "0s");
  CHECK(duration_text(1500ms) == "1500ms");
  CHECK(duration_text(90s) == "90s");
  CHECK(duration_text(120s) == "2m");
  CHECK(duration_text(24h) == "1d");
  CHECK(bytes_text(0) == "0");
  CHECK(bytes_text(1000) == "1000");
  CHECK(bytes_text(1536U << 10U) == "1536KiB");
  CHECK(bytes_text(1U << 30U) == "1GiB");
}

TEST_CASE("the limit of deaths is auto or a number") {
  CHECK(good(kGood + "[restart]\nlimit = 'auto'").restart.limit == 0);
  CHECK(good(kGood + "[restart]\nlimit = 1").restart.limit == 1);
  CHECK(good(kGood + "[restart]\nlimit = 100000").restart.limit == 100'000);
  const std::string wanted = "limit: expected 'auto' or an integer from 1 to 100000, got ";
  each_is_bad(+[](const std::string& lines) { return bad(kGood + "[restart]\n" + lines); },
              "6: restart.",
              {{"limit = 0", wanted + "integer 0"},
               {"limit = 'Auto'", wanted + "string 'Auto'"},
               {"window = '0'", "window: must be longer than '0'"},
               {"giveup_retry = '0s'", "giveup_retry: must be longer than '0s'"}});
  CHECK(
      bad(kGood + "[restart]\non_giveup = 'exti'") ==
      "6: unknown answer to a give-up 'exti'; expected 'degrade' or 'exit'; did you mean 'exit'?");
  const Restart restart = good(kGood + "[restart]\nwindow = '5m'\non_giveup = 'exit'\n" +
                               "giveup_retry = '10s'\nbackoff.max = '1m'")
                              .restart;
  CHECK(restart.window == 5min);
  CHECK(restart.on_giveup == OnGiveup::exit);
  CHECK(restart.giveup_retry == 10s);
  CHECK(restart.backoff_max == 1min);
}

TEST_CASE("a reload may have one worker more or one less, or it could replace none") {
  const auto bad_reload =
      +[](const std::string& lines) { return bad(kGood + "[reload]\n" + lines); };
  const Reload reload =
      good(kGood + "[reload]\nsurge = 0\nmax_unavailable = 1024\nmax_generations = 2\nsettle = '0'")
          .reload;
  CHECK(reload.surge == 0);
  CHECK(reload.max_unavailable == 1024);
  CHECK(reload.max_generations == 2);
  CHECK(reload.settle == 0s);
  each_is_bad(
      bad_reload, "6: reload",
      {{"surge = 0",
        ": surge and max_unavailable are both 0: there may be neither a worker more nor one less, "
        "so none could be replaced"},
       {"surge = 1025", ".surge: expected an integer from 0 to 1024, got integer 1025"},
       {"max_unavailable = -1",
        ".max_unavailable: expected an integer from 0 to 1024, got integer "
        "-1"},
       {"max_generations = 1",
        ".max_generations: expected an integer from 2 to 100, got integer "
        "1"},
       {"settle = 1", ".settle: expected a duration such as '5s', got integer 1"}});
  CHECK(bad_reload("max_unavailble = 1") ==
        "6: unknown key 'max_unavailble' in [reload]; did you mean 'max_unavailable'?");
}

TEST_CASE("a hook is a program and its arguments, found as a worker's is") {
  const Settings settings = good(kGood + R"(
[hooks]
giveup = ['./web', '--page', 'me']
exit = ['server']
recover = []
)");
  CHECK(settings.hooks == decltype(settings.hooks){{"giveup", {"/etc/shop/web", "--page", "me"}},
                                                   {"exit", {"/usr/local/bin/server"}}});
  const auto bad_hook = +[](const std::string& lines) { return bad(kGood + "[hooks]\n" + lines); };
  each_is_bad(
      bad_hook, "6: ",
      {{"exit = './web'",
        "hooks.exit: expected an array of non-empty strings, got string "
        "'./web'"},
       {"exit = ['./web', '']",
        "hooks.exit: expected an array of non-empty strings, got string ''"},
       {"exit = ['./nothing']", "hooks.exit: '/etc/shop/nothing': No such file or directory"},
       {"exti = ['./web']", "unknown key 'exti' in [hooks]; did you mean 'exit'?"}});
  CHECK(bad_hook("exit = [\n\n './nothing']") ==
        "8: hooks.exit: '/etc/shop/nothing': No such file or directory");
}

TEST_CASE("a heartbeat can be switched off, and workers can keep their output") {
  CHECK(good(in_worker("heartbeat_timeout = '0'")).worker.heartbeat_timeout == 0s);
  CHECK_FALSE(good(kGood + "[log]\ncapture = false").log.capture);
  CHECK(bad(kGood + "[log]\ncapture = 'no'") ==
        "6: log.capture: expected true or false, got string 'no'");
}
