// Promise 6: a worker that lies, or sends what it should not, loses itself and nobody else.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <boost/json/array.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

std::int64_t restarts(const Cluster& cluster, std::size_t slot) {
  const auto status = cluster.status();
  if (!status) return 0;
  for (const auto& worker : status->at("workers").as_array()) {
    if (worker.at("slot") == static_cast<std::int64_t>(slot)) {
      return worker.at("restarts").as_int64();
    }
  }
  return 0;
}

/// Slot 0 breaks a rule as soon as it is ready (or offered something); slot 1 is decent.
void check_hostile(const std::string& mode, bool dies) {
  CAPTURE(mode);
  Cluster cluster({.workers = 2,
                   .command = {fixture_worker(), mode},
                   .worker_keys = "stall_timeout = \"200ms\"\nkill_timeout = \"1s\"\n",
                   .wait_until_running = false});
  REQUIRE(eventually([&] { return !cluster.workers().empty(); }, 10s));
  const std::uint16_t port = cluster.port();
  std::vector<pid_t> decent;
  for (int i = 0; i < 50; ++i) {
    const Reply reply = get(port);
    CHECK(reply.ok());
  }
  if (dies) CHECK(eventually([&] { return restarts(cluster, 0) > 0; }, 10s));
  CHECK(restarts(cluster, 1) == 0);
  CHECK(cluster.master().running());
  CHECK(cluster.verb({"stop", "--now"}).code == 0);
  CHECK(cluster.log().find("AddressSanitizer") == std::string::npos);
  CHECK(cluster.log().find("runtime error") == std::string::npos);
}

}  // namespace

TEST_CASE("a worker that sends garbage on its channel loses itself alone") {
  for (const char* mode : {"garbage", "endless-line", "half-a-command", "send-descriptors"}) {
    check_hostile(mode, true);
  }
}

TEST_CASE("a worker that lies on its page loses itself alone") {
  for (const char* mode : {"claim-too-much", "claim-backwards", "fill-page"}) {
    check_hostile(mode, true);
  }
}

TEST_CASE("a worker cannot shrink its page") { check_hostile("shrink", false); }

TEST_CASE("a worker that floods its channel or its eventfd loses itself alone") {
  for (const char* mode : {"flood", "wake-flood"}) check_hostile(mode, true);
}

TEST_CASE("a worker that closes its channel and lives on is ended") {
  check_hostile("close-channel", true);
}
