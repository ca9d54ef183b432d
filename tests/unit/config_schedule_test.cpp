#include "tests/support/config_texts.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;
using namespace std::chrono_literals;
using Target = Schedule::Target;

namespace {

std::string with_schedule(const std::string& lines) {
  return kGood + "[[schedule]]\n" + lines + "\n";
}

Schedule schedule(const std::string& lines) {
  const Settings settings = good(with_schedule(lines));
  REQUIRE(settings.schedules.size() == 1);
  return settings.schedules[0];
}

/// Without the line number.
std::string bad_schedule(const std::string& lines) {
  const std::string mistake = bad(with_schedule(lines));
  return mistake.substr(mistake.find(": ") + 2);
}

const std::string kTick = "name = 'tick'\nevery = '1s'\n";

}  // namespace

TEST_CASE("a schedule has a name, and says when") {
  const Schedule tick = schedule(kTick);
  CHECK(tick.name == "tick");
  CHECK(tick.every == 1s);
  CHECK(tick.target == Target::one);
  CHECK(tick.action == "tick");
  CHECK(tick.data == "null");
  CHECK(tick.overlap == Schedule::Overlap::skip);
  CHECK(tick.timeout == 5min);
  CHECK_FALSE(tick.immediate);
  const Schedule daily = schedule("name = 'x'\ncron = '@daily'\nimmediate = true\ntimeout = '0'");
  CHECK(daily.cron.has_value());
  CHECK(daily.immediate);
  CHECK(daily.timeout == 0s);
  CHECK(good(kGood).schedules.empty());
}

TEST_CASE("a schedule without a name or a time, or with two, is a mistake") {
  CHECK(bad_schedule("every = '1s'") == "schedule.name is missing");
  CHECK(bad_schedule("name = 'x'").starts_with("schedule: expected every = '10m' or cron = "));
  CHECK(bad_schedule(kTick + "cron = '@daily'") ==
        "schedule.cron: there is every as well; one of the two says when");
  CHECK(bad_schedule("name = 'x'\nevery = '50ms'") == "schedule.every: must be at least '100ms'");
  CHECK(bad_schedule("name = '.x'\nevery = '1s'").starts_with("schedule.name: expected 1 to 64"));
  CHECK(bad_schedule("name = 'x'\ncron = '0 24 * * *'") ==
        "schedule.cron: hours: expected 0 to 23, got '24', at column 3 of '0 24 * * *'");
  CHECK(bad_schedule(kTick + "[[schedule]]\n" + kTick) ==
        "schedule.name: two schedules are named 'tick'; give each its own name");
  CHECK(contains(bad_schedule(kTick + "intervall = 3"), "unknown key 'intervall' in [[schedule]]"));
}

TEST_CASE("a schedule's message has an action and JSON") {
  const Schedule all = schedule(kTick + "target = 'all'\naction = 'go'\ndata = '{\"full\": true}'");
  CHECK(all.target == Target::all);
  CHECK(all.action == "go");
  CHECK(bad_schedule(kTick + "action = ''").starts_with("schedule.action: expected a text of 1"));
  CHECK(bad_schedule(kTick + "data = '{full: true}'").starts_with("schedule.data: is no JSON: "));
  CHECK(contains(bad_schedule(kTick + "target = 'some'"), "expected 'one', 'all' or 'agent'"));
}

TEST_CASE("a schedule may run a program instead") {
  const Schedule command = schedule(kTick + "command = ['./web', '-v']");
  CHECK(command.target == Target::command);
  CHECK(command.command == std::vector<std::string>{"/etc/shop/web", "-v"});
  CHECK(schedule(kTick + "command = []").target == Target::one);
  CHECK(bad_schedule(kTick + "command = ['./web']\ntarget = 'all'") ==
        "schedule.target: is of a message, and with command a program is run instead");
  CHECK(contains(bad_schedule(kTick + "command = ['./none']"), "schedule.command: "));
}

TEST_CASE("workers without a channel get no message") {
  const std::string text = kListen + "queue_timeout = '0'\n" +
                           "[worker]\ncommand = ['./web']\nprotocol = 'listen-fds'\n" +
                           "[[schedule]]\n" + kTick;
  CHECK(contains(bad(text), ": schedule.target: workers whose protocol is 'listen-fds' have no"));
  CHECK(good(text + "command = ['./web']\n").schedules.size() == 1);
}

TEST_CASE("--set reaches a schedule by its name") {
  const Settings settings = good(with_schedule(kTick), surroundings(), {"schedule.tick.every=10s"});
  CHECK(settings.schedules.at(0).every == 10s);
  CHECK(contains(bad(with_schedule(kTick), surroundings(), {"schedule.tock.every=10s"}),
                 "no schedule is called 'tock'"));
  CHECK(contains(bad(with_schedule(kTick), surroundings(), {"schedule.tick=10s"}),
                 "expected schedule.NAME.KEY"));
}

TEST_CASE("a schedule for the agent program needs one") {
  CHECK(bad_schedule(kTick + "target = 'agent'") ==
        "schedule.target: there is no agent program; agent.command says which");
  const Schedule pull = schedule(kTick + "target = 'agent'\n[agent]\ncommand = ['./web']");
  CHECK(pull.target == Target::agent);
}
