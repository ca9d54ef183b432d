#include "master/core/node_gate.h"
#include "master/core/node_servers.h"
#include "master/core/offer_ledger.h"

#include <doctest/doctest.h>

namespace clusterd::core {
namespace {

using Answer = NodeGate::Answer;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE("one descriptor is on its way to a Node process at a time") {
  NodeGate gate;
  CHECK(gate.is_free());
  gate.sent_descriptor();
  CHECK_FALSE(gate.is_free());
  CHECK(gate.acknowledged() == Answer::arrived);
  CHECK(gate.is_free());
  gate.sent_descriptor();
  CHECK(gate.refused() == Answer::lost);
  CHECK(gate.is_free());
}

TEST_CASE("a process that loses two descriptors in a row has no room left") {
  NodeGate gate;
  gate.sent_descriptor();
  CHECK(gate.refused() == Answer::lost);
  gate.sent_descriptor();
  SUBCASE("one that arrives between them is a new start") {
    CHECK(gate.acknowledged() == Answer::arrived);
    gate.sent_descriptor();
    CHECK(gate.refused() == Answer::lost);
  }
  SUBCASE("twice") { CHECK(gate.refused() == Answer::jammed); }
}

TEST_CASE("a probe is answered as a descriptor that did not arrive") {
  NodeGate gate;
  gate.sent_probe();
  CHECK_FALSE(gate.is_free());
  CHECK(gate.acknowledged() == Answer::unasked);
  CHECK(gate.refused() == Answer::alive);
  CHECK(gate.is_free());
}

TEST_CASE("an answer that nobody asked for means nothing") {
  NodeGate gate;
  CHECK(gate.acknowledged() == Answer::unasked);
  CHECK(gate.refused() == Answer::unasked);
  CHECK(gate.is_free());
}

TEST_CASE("a Node worker has one server a listener") {
  NodeServers servers;
  CHECK(servers.open(0));
  CHECK_FALSE(servers.open(0));
  CHECK(servers.open(63));
  CHECK(servers.find(NodeServers::key_of(63)) == ListenerIndex{63});
  CHECK_FALSE(servers.find(NodeServers::key_of(1)));
  CHECK_FALSE(servers.find("something else"));
  servers.close(0);
  CHECK_FALSE(servers.find(NodeServers::key_of(0)));
  CHECK(servers.open(0));
}

TEST_CASE("a Node worker is ready when all that it opened listens") {
  NodeServers servers;
  CHECK_FALSE(servers.ready());
  REQUIRE(servers.open(0));
  REQUIRE(servers.open(1));
  CHECK_FALSE(servers.ready());
  servers.listening();
  CHECK_FALSE(servers.ready());
  SUBCASE("the other one listens") { servers.listening(); }
  SUBCASE("the other one is closed before it does") { servers.close(1); }
  CHECK(servers.ready());
}

TEST_CASE("what is declined is neither taken nor pending") {
  OfferLedger ledger(4);
  for (int count = 0; count < 4; ++count) ledger.offer(TimePoint{1s});
  CHECK(ledger.claim(1, TimePoint{2s}) == 1U);
  ledger.decline(2);
  CHECK(ledger.pending() == 1);
  CHECK(ledger.taken_in_all() == 1);
  CHECK(ledger.declines());  // it is not asked again at once
  CHECK(ledger.credit() == 0);
  CHECK(ledger.claim(3, TimePoint{3s}) == 0U);
  ledger.retry();
  CHECK_FALSE(ledger.declines());
  CHECK(ledger.credit() == 3);
  CHECK(ledger.claim(4, TimePoint{3s}) == 1U);
  CHECK(ledger.taken_in_all() == 2);
}

}  // namespace clusterd::core
