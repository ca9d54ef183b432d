#include "master/core/message_router.h"

#include <doctest/doctest.h>

#include <map>
#include <vector>

using namespace clusterd;
using namespace clusterd::core;
using Kind = Recipient::Kind;

namespace {

using Ids = std::vector<ChildId>;

/// The user's; ours gets no messages.
constexpr ChildId agent(std::uint32_t number) { return {Role::program, number}; }
constexpr ChildId worker(std::uint32_t number) { return {Role::worker, number}; }

/// An agent and three workers, ready, in slots 0 to 2, with pids 100 (agent), 101 to 103.
MessageRouter pool() {
  MessageRouter router;
  for (std::uint32_t number : {2U, 1U, 3U}) {  // in the order that they happen to come up
    router.add(worker(number), 100 + number, SlotId(number - 1));
    router.set_ready(worker(number), true);
  }
  router.add(agent(1), 100, std::nullopt);
  router.set_ready(agent(1), true);
  return router;
}

}  // namespace

TEST_CASE("who gets a message, from a worker and from the agent") {
  struct Row {
    Recipient to;
    Ids from_worker;
    Ids from_agent;
  };
  const Ids workers{worker(1), worker(2), worker(3)};
  const Ids everybody{agent(1), worker(1), worker(2), worker(3)};
  const Row table[] = {
      {{Kind::all, 0}, everybody, everybody},
      {{Kind::app, 0}, workers, workers},
      {{Kind::agent, 0}, {agent(1)}, {agent(1)}},
      {{Kind::unsaid, 0}, {agent(1)}, workers},
      {{Kind::pid, 102}, {worker(2)}, {worker(2)}},
      {{Kind::pid, 101}, {worker(1)}, {worker(1)}},  // itself
      {{Kind::pid, 100}, {agent(1)}, {agent(1)}},
      {{Kind::pid, 99}, {}, {}},
      {{Kind::slot, 2}, {worker(3)}, {worker(3)}},
      {{Kind::slot, 3}, {}, {}},
      {{Kind::slot, -1}, {}, {}},
      {{Kind::elsewhere, 0}, {}, {}},
  };
  for (const Row& row : table) {
    CAPTURE(static_cast<int>(row.to.kind));
    CAPTURE(row.to.number);
    MessageRouter router = pool();
    CHECK((router.receivers(worker(1), row.to) == row.from_worker));
    CHECK((router.receivers(agent(1), row.to) == row.from_agent));
  }
}

TEST_CASE("a message to any one goes to each ready worker in turn, never to the agent") {
  MessageRouter router = pool();
  std::map<ChildId, int> counts;
  for (int i = 0; i < 30; ++i) {
    const Ids got = router.receivers(agent(1), {Kind::random, 0});
    REQUIRE(got.size() == 1);
    ++counts[got[0]];
  }
  CHECK((counts == std::map<ChildId, int>{{worker(1), 10}, {worker(2), 10}, {worker(3), 10}}));
  router.set_ready(worker(2), false);
  for (int i = 0; i < 10; ++i) {
    CHECK((router.receivers(agent(1), {Kind::random, 0}) != Ids{worker(2)}));
  }
  router.set_ready(worker(1), false);
  router.remove(worker(3));
  CHECK(router.receivers(agent(1), {Kind::random, 0}).empty());
}

TEST_CASE("one that is not ready gets what is for all, or for it") {
  MessageRouter router = pool();
  router.set_ready(worker(2), false);
  CHECK(router.receivers(worker(1), {Kind::app, 0}).size() == 3);
  CHECK((router.receivers(worker(1), {Kind::pid, 102}) == Ids{worker(2)}));
  CHECK((router.receivers(worker(1), {Kind::slot, 1}) == Ids{worker(2)}));
}

TEST_CASE("a slot's message goes to the one that serves, while two are in it") {
  MessageRouter router = pool();
  router.add(worker(4), 104, SlotId(1));
  CHECK((router.receivers(worker(1), {Kind::slot, 1}) == Ids{worker(2)}));
  router.set_ready(worker(4), true);
  router.set_ready(worker(2), false);
  CHECK((router.receivers(worker(1), {Kind::slot, 1}) == Ids{worker(4)}));
  router.set_ready(worker(4), false);  // neither serves: the newest is the one to stay
  CHECK((router.receivers(worker(1), {Kind::slot, 1}) == Ids{worker(4)}));
  router.remove(worker(4));
  CHECK((router.receivers(worker(1), {Kind::slot, 1}) == Ids{worker(2)}));
}

TEST_CASE("who is gone gets nothing") {
  MessageRouter router = pool();
  router.remove(worker(1));
  router.remove(agent(1));
  CHECK((router.everybody() == Ids{worker(2), worker(3)}));
  CHECK(router.receivers(worker(2), {Kind::agent, 0}).empty());
  CHECK(router.receivers(worker(2), {Kind::pid, 101}).empty());
  router.set_ready(worker(1), true);  // late, and without effect
  router.remove(worker(1));
  CHECK(router.everybody().size() == 2);
}
