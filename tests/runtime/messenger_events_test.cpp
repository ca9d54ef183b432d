// What programs hear of the cluster: as events, as Egg's own master says it, or not at all.
#include "tests/runtime/post.h"

#include <string>

namespace clusterd::runtime {
namespace {

constexpr ChildId kProgram{Role::program, 1};

std::string event(const char* name) { return encode(protocol::Happened{name}); }

/// A message of the master's, to a program of Egg.
bool has_message(const std::string& text, const std::string& action, const std::string& data) {
  return text.find("\"action\":\"" + action + "\"") != std::string::npos &&
         text.find("\"data\":" + data) != std::string::npos;
}

/// One of clusterd's, one of Node's that says nothing, one that speaks as Egg's do, and one that
/// asks for events.
struct Four : Post {
  Four() : Post(1) {
    for (const std::uint32_t number : {2U, 3U, 4U}) add(number, false, Messenger::Dialect::node);
    send(3, {Kind::slot, 9}, "hello");
    messenger.wants_notices(worker(4));
  }

  /// What the workers' agent program does; the last seat is its own.
  void agent(bool ready) {
    if (!ready) return messenger.leave(kProgram);
    messenger.join(kProgram, seats.back()->channel, 999, std::nullopt);
    messenger.set_ready(kProgram, true);
  }
};

}  // namespace

TEST_CASE("an event is one to those who know it, a message to those of Egg, else nothing") {
  Four four;
  four.messenger.log_reload();
  CHECK(four.hear(1) == event("log-reload"));
  CHECK(four.hear(2).empty());
  CHECK(has_message(four.hear(3), "log-reload", "null"));
  CHECK(four.hear(4) == event("log-reload"));
}

TEST_CASE("all that listen hear once that the cluster is ready, also who listens late") {
  Four four;
  four.messenger.cluster_is_ready();
  CHECK(four.hear(1) == event("cluster-ready"));
  CHECK(four.hear(2).empty());
  const std::string egg = four.hear(3);
  CHECK(has_message(egg, "egg-pids", "[]"));
  CHECK(has_message(egg, "egg-ready", "{}"));
  CHECK(four.hear(4) == event("cluster-ready"));

  // Its first message says that it knows messages; those who have heard are not told again.
  for (const std::uint32_t number : {2U, 3U}) four.send(number, {Kind::slot, 9}, "hello");
  four.messenger.wants_notices(worker(4));
  CHECK(has_message(four.hear(2), "egg-ready", "{}"));
  CHECK(four.hear(3).empty());
  CHECK(four.hear(4).empty());

  // One that is not ready yet hears it then.
  four.add(5, false, Messenger::Dialect::node);
  four.messenger.set_ready(worker(5), false);
  four.messenger.wants_notices(worker(5));
  CHECK(four.hear(5).empty());
  four.messenger.set_ready(worker(5), true);
  CHECK(four.hear(5) == event("cluster-ready"));
}

TEST_CASE("workers hear of the agent program's end and of the next one, each in its way") {
  Four four;
  four.add(5);
  four.messenger.leave(worker(5));
  four.agent(true);
  CHECK(four.hear(1) == event("agent-start"));
  CHECK(four.hear(2).empty());
  std::string egg = four.hear(3);
  CHECK(has_message(egg, "egg-pids", "[999]"));
  CHECK(has_message(egg, "agent-start", "null"));
  CHECK(four.hear(4) == event("agent-start"));

  four.agent(false);
  CHECK(four.hear(1) == event("agent-exit"));
  CHECK(four.hear(2).empty());
  egg = four.hear(3);
  CHECK(has_message(egg, "egg-pids", "[]"));
  CHECK(egg.find("agent-exit") == std::string::npos);
  CHECK(four.hear(4) == event("agent-exit"));
}

}  // namespace clusterd::runtime
