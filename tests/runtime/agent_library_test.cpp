// The agent library, whose master is played here.
#include "common/protocol.h"
#include "tests/runtime/played_master.h"

#include <doctest/doctest.h>

#include <clusterd/agent.hpp>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace clusterd::runtime {
namespace {

/// The master's end of an agent.
struct Master : PlayedMaster {
  Master() {
    welcome_agent();
    agent.emplace();
  }

  /// What it has said since.
  [[nodiscard]] std::string hear() const {
    std::string text;
    char some[65536];
    for (;;) {
      const ssize_t got = ::recv(channel.get(), some, sizeof some, MSG_DONTWAIT);
      if (got <= 0) return text;
      text.append(some, static_cast<std::size_t>(got));
    }
  }

  /// It is asked to leave.
  void end() const { REQUIRE(::shutdown(channel.get(), SHUT_WR) == 0); }

  std::optional<Agent> agent;
};

}  // namespace

TEST_CASE("an agent that is asked to leave can still send all that it has") {
  Master master;
  Agent& agent = *master.agent;
  constexpr int kMessages = 1'000;
  const std::string data = '"' + std::string(1'000, 'x') + '"';
  int sent = 0;
  int rooms = 0;
  const auto send_all = [&] {
    while (sent < kMessages && agent.send_to_app("state", data)) ++sent;
    if (sent == kMessages) agent.stop();
  };
  agent.on_stop(send_all);
  agent.on_send_room([&] {
    ++rooms;
    send_all();
  });
  master.end();
  std::string heard;
  for (int turn = 0; turn < 10'000 && !agent.finished(); ++turn) {
    agent.dispatch(1'000);
    if (turn > 3) heard += master.hear();
  }
  CHECK(sent == kMessages);
  CHECK(rooms > 0);
  std::thread reader([&] {
    char some[65536];
    ssize_t got = 0;
    while ((got = ::recv(master.channel.get(), some, sizeof some, 0)) > 0) {
      heard.append(some, static_cast<std::size_t>(got));
    }
  });
  master.agent.reset();
  reader.join();
  std::size_t messages = 0;
  for (std::size_t at = 0; (at = heard.find("\"state\"", at)) != std::string::npos; ++at)
    ++messages;
  CHECK(messages == kMessages);
}

TEST_CASE("an agent that is asked to leave first ends the runs that it has") {
  Master master;
  Agent& agent = *master.agent;
  std::optional<Run> open;
  agent.on_schedule("tidy", [&](Run run) { open = std::move(run); });
  agent.ready();
  master.say(encode(protocol::RunNow{"x-1", "tidy", "null"}));
  agent.dispatch(1'000);
  REQUIRE(open.has_value());
  master.end();
  for (int turn = 0; turn < 5; ++turn) agent.dispatch(10);
  CHECK(agent.stopping());
  CHECK_FALSE(agent.finished());
  open->fail("no room");
  CHECK(agent.finished());
  CHECK(master.hear().ends_with(encode(protocol::Ran{"x-1", "no room"})));
}

TEST_CASE("an exception of a schedule's handler fails the run and is no error of the agent") {
  Master master;
  Agent& agent = *master.agent;
  agent.on_schedule("tidy", [](const Run&) { throw std::runtime_error("no disk"); });
  master.say(encode(protocol::RunNow{"x-2", "tidy", "null"}));
  agent.dispatch(1'000);
  CHECK(master.hear().ends_with(encode(protocol::Ran{"x-2", "no disk"})));
  CHECK(agent.errors() == 0);
}

TEST_CASE("an error that another thread tells of is heard by the thread that runs the agent") {
  Master master;
  Agent& agent = *master.agent;
  std::vector<std::string> errors;
  std::thread::id where;
  agent.on_error([&](std::string_view what) {
    errors.emplace_back(what);
    where = std::this_thread::get_id();
    agent.on_error(nullptr);
  });
  agent.dispatch(0);
  std::thread([&] { agent.escaped(std::make_exception_ptr(std::runtime_error("oh"))); }).join();
  CHECK(errors.empty());
  agent.dispatch(1'000);
  CHECK(errors == std::vector<std::string>{"oh"});
  CHECK(where == std::this_thread::get_id());
  CHECK(agent.errors() == 1);
}

}  // namespace clusterd::runtime
