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

/// Of all slots, or of slot 1 alone. A slot that waits for its next start has no worker to ask.
std::int64_t restarts(const Cluster& cluster) {
  const auto status = cluster.status();
  return status ? status->at("restarts").at("total").as_int64() : 0;
}

std::int64_t restarts_of_decent(const Cluster& cluster) {
  const auto status = cluster.status();
  REQUIRE(status);
  for (const auto& worker : status->at("workers").as_array()) {
    if (worker.at("slot") == 1) return worker.at("restarts").as_int64();
  }
  return -1;
}

/// Slot 0 breaks a rule as soon as it is offered something; slot 1 is decent.
void check_hostile(const std::string& mode, bool dies) {
  CAPTURE(mode);
  Cluster cluster({.workers = 2,
                   .command = {fixture_worker(), mode},
                   .worker_keys = "stall_timeout = \"200ms\"\nkill_timeout = \"1s\"\n"});
  const std::uint16_t port = cluster.port();
  for (int i = 0; i < 50; ++i) {
    const Reply reply = get(port);
    CHECK(reply.ok());
  }
  if (dies) CHECK(eventually([&] { return restarts(cluster) > 0; }, 20s));
  CHECK(restarts_of_decent(cluster) == 0);
  CHECK(cluster.master().running());
  CHECK(cluster.verb({"stop", "--now"}).code == 0);
  CHECK(cluster.log().find("AddressSanitizer") == std::string::npos);
  CHECK(cluster.log().find("runtime error") == std::string::npos);
}

}  // namespace

TEST_CASE("a worker that sends garbage on its channel loses itself alone (fault 15)") {
  for (const char* mode : {"garbage", "random-bytes", "empty-lines", "half-a-command"}) {
    check_hostile(mode, true);
  }
}

TEST_CASE("a worker whose line is too long loses itself alone (fault 16)") {
  for (const char* mode : {"endless-line", "line-too-long"}) check_hostile(mode, true);
}

TEST_CASE("a worker whose line drips and never ends harms nobody (fault 17)") {
  check_hostile("drip", false);
}

TEST_CASE("a worker that floods its channel or its eventfd loses itself alone (fault 18)") {
  for (const char* mode : {"flood", "flood-of-hellos", "wake-flood"}) check_hostile(mode, true);
}

TEST_CASE("a worker that sends descriptors that nobody wants loses itself alone (faults 19, 20)") {
  check_hostile("send-descriptors", true);
}

TEST_CASE("a worker that lies on its page loses itself alone (fault 21)") {
  for (const char* mode : {"claim-too-much", "claim-backwards", "fill-page"}) {
    check_hostile(mode, true);
  }
}

TEST_CASE("a worker that lies on its channel hurts nobody (fault 21)") {
  check_hostile("lie", false);
}

TEST_CASE("a worker cannot shrink its page") { check_hostile("shrink", false); }

TEST_CASE("a worker that closes its channel, or half of it, and lives on is ended (fault 22)") {
  for (const char* mode : {"close-channel", "half-close", "end-in-mid-line"}) {
    check_hostile(mode, true);
  }
}

TEST_CASE("a worker that breaks a rule after its suicide is replaced once") {
  for (const char* mode :
       {"suicide", "garbage-after-suicide", "lies-after-suicide", "flood-of-suicides"}) {
    check_hostile(mode, true);
  }
}
