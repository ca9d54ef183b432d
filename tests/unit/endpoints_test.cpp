#include "agent/endpoints.h"

#include <doctest/doctest.h>

namespace clusterd::agent {

TEST_CASE("a target names an endpoint exactly, whatever its query") {
  CHECK(endpoint_of("/healthz") == Endpoint::health);
  CHECK(endpoint_of("/readyz?verbose") == Endpoint::ready);
  CHECK(endpoint_of("/metrics?") == Endpoint::metrics);
  for (const char* other : {"", "/", "/metrics/", "/Metrics", "metrics", "*", "?/metrics",
                            "http://localhost/metrics"}) {
    CHECK(endpoint_of(other) == Endpoint::none);
  }
}

TEST_CASE("the answers say how the cluster is") {
  const View ready{true, "2 of 2 workers are ready", nullptr};
  const View not_ready{false, "the cluster stops", nullptr};
  CHECK(answer_to(Endpoint::health, not_ready).status == 200);
  CHECK(*answer_to(Endpoint::health, not_ready).body == "ok\n");
  CHECK(answer_to(Endpoint::ready, ready).status == 200);
  CHECK(*answer_to(Endpoint::ready, ready).body == "2 of 2 workers are ready\n");
  CHECK(answer_to(Endpoint::ready, not_ready).status == 503);
  CHECK(*answer_to(Endpoint::ready, not_ready).body == "the cluster stops\n");
  CHECK(answer_to(Endpoint::none, ready).status == 404);
}

TEST_CASE("a master that does not answer is neither healthy nor ready") {
  for (const Endpoint endpoint : {Endpoint::health, Endpoint::ready, Endpoint::metrics}) {
    CHECK(answer_to(endpoint, std::nullopt).status == 503);
    CHECK(*answer_to(endpoint, std::nullopt).body == "the master does not answer\n");
  }
}

TEST_CASE("metrics have the type of their format, or are not there") {
  const auto page = std::make_shared<const std::string>("a 1\n");
  const Answer answer = answer_to(Endpoint::metrics, View{true, "", page});
  CHECK(answer.status == 200);
  CHECK(answer.type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(answer.body == page);
  CHECK(answer_to(Endpoint::metrics, View{true, "", nullptr}).status == 503);
}

}  // namespace clusterd::agent
