#include "master/runtime/event_log.h"

#include "common/json.h"
#include "master/runtime/note_event.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;

/// A client that hears everything at once, until it leaves.
struct Listener {
  [[nodiscard]] Reply reply() const { return Reply(send); }
  void leave() { send.reset(); }

  std::vector<std::string> lines;
  std::string last;
  std::shared_ptr<const Reply::Send> send =
      std::make_shared<Reply::Send>([this](std::string line, bool end) {
        if (!end) return lines.push_back(std::move(line));
        last = std::move(line);
        leave();
      });
};

struct Log {
  std::vector<std::pair<std::string, std::string>> recorded;
  EventLog log{[this](const std::string& name, const std::string& json) {
    recorded.emplace_back(name, json);
  }};
};

Event exit_of(std::uint32_t worker) {
  return {.name = "exit", .role = "worker", .worker = worker, .reason = "exited with code 1"};
}

std::int64_t seq_of(const std::string& line) {
  const auto json = check_json(line);
  REQUIRE(json.has_value());
  return json->integer("seq").value_or(-1);
}

/// Digits as d: "dddd-dd-ddTdd:dd:dd.dddZ".
std::string shape(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; }, 'd');
  return text;
}

core::Note note_of(core::Note::Kind kind, Role role = Role::worker) {
  core::Note note;
  note.kind = kind;
  note.child = {role, 4};
  note.slot = SlotId{1};
  return note;
}

std::string json_of(const core::Note& note) {
  const auto event = to_event(note, 4711, Generation{2});
  if (!event) return "";
  return to_json(*event, 17, std::chrono::system_clock::time_point(1'800'000'000'007ms));
}

}  // namespace

TEST_CASE("an event has its number, its time and what is known, and nothing else") {
  Event event{.name = "exit", .role = "worker", .slot = SlotId{1}, .worker = 4, .pid = 4711};
  event.generation = Generation{2};
  event.code = 1;
  event.planned = false;
  event.uptime = 12'300ms;
  event.numbers = {{"connections", 3}};
  event.texts = {{"listener", "http"}, {"empty", ""}};
  event.reason = "exited with code 1";
  event.last_words = "out of \"luck\"\n";
  CHECK(to_json(event, 17, std::chrono::system_clock::time_point(1'800'000'000'007ms)) ==
        R"({"seq":17,"time":"2027-01-15T08:00:00.007Z","event":"exit","role":"worker","slot":1,)"
        R"("worker":4,"pid":4711,"generation":2,"code":1,"planned":false,"uptime_s":12.3,)"
        R"("connections":3,"listener":"http","reason":"exited with code 1",)"
        R"("stderr":"out of \"luck\"\n"})");
  CHECK(to_json({.name = "start", .role = ""}, 1, {}) ==
        R"({"seq":1,"time":"1970-01-01T00:00:00.000Z","event":"start"})");
}

TEST_CASE("an event is bounded whatever is said, and shows how the last words end") {
  Event event{.name = "suicide", .role = "worker", .reason = std::string(100'000, '\x01')};
  for (int times = 0; times < 20; ++times) event.texts.emplace_back("t", event.reason);
  event.last_words = std::string(100'000, '\x01') + "the end";
  const std::string line = to_json(event, 1, {});
  CHECK(line.size() < 64 * 1024);
  CHECK(check_json(line).has_value());
  CHECK(line.ends_with("the end\"}"));
}

TEST_CASE("last words that are cut begin with a whole character, if they have any") {
  std::string words;
  while (words.size() < 5000) words += "\xe2\x82\xac";
  for (int shift = 0; shift < 3; ++shift) {
    words += 'x';
    const std::string line = to_json({.name = "exit", .role = "", .last_words = words}, 1, {});
    CHECK(line.find("\"stderr\":\"\xe2\x82\xac") != std::string::npos);
  }
  const std::string line =
      to_json({.name = "exit", .role = "", .last_words = std::string(5000, '\x80')}, 1, {});
  CHECK(check_json(line)->string("stderr")->size() > 4000);
}

TEST_CASE("who asks hears the events that there are, in order, and an end") {
  Log log;
  log.log.record(exit_of(1));
  log.log.record(exit_of(2));
  Listener client;
  log.log.answer(false, client.reply());
  REQUIRE(client.lines.size() == 2);
  CHECK(seq_of(client.lines[0]) == 1);
  CHECK(seq_of(client.lines[1]) == 2);
  CHECK(shape(*check_json(client.lines[1])->string("time")) == "dddd-dd-ddTdd:dd:dd.dddZ");
  CHECK(client.last == "{\"ok\":true}");
  log.log.record(exit_of(3));
  CHECK(client.lines.size() == 2);
}

TEST_CASE("who follows hears what comes as well, until it leaves") {
  Log log;
  log.log.record(exit_of(1));
  Listener client;
  log.log.answer(true, client.reply());
  log.log.record(exit_of(2));
  REQUIRE(client.lines.size() == 2);
  CHECK(seq_of(client.lines[1]) == 2);
  CHECK(client.last.empty());
  client.leave();
  log.log.record(exit_of(3));
  CHECK(client.lines.size() == 2);
}

TEST_CASE("only so many may follow, and one that leaves makes room") {
  Log log;
  std::deque<Listener> clients(7);
  for (Listener& client : clients) log.log.answer(true, client.reply());
  CHECK(clients[5].last.empty());
  CHECK(clients[6].last.starts_with("{\"ok\":false"));
  clients[0].leave();
  Listener next;
  log.log.answer(true, next.reply());
  log.log.record(exit_of(1));
  CHECK(next.lines.size() == 1);
  Listener asks;
  log.log.answer(false, asks.reply());
  CHECK(asks.last == "{\"ok\":true}");
}

TEST_CASE("the last thousand events are kept, and no more than so many bytes") {
  Log log;
  for (std::uint32_t number = 1; number <= 2500; ++number) log.log.record(exit_of(number));
  Listener client;
  log.log.answer(false, client.reply());
  REQUIRE(client.lines.size() == 1000);
  CHECK(seq_of(client.lines.front()) == 1501);
  CHECK(seq_of(client.lines.back()) == 2500);

  Event long_one = exit_of(1);
  long_one.last_words = std::string(4096, 'x');
  for (int times = 0; times < 1000; ++times) log.log.record(long_one);
  Listener again;
  log.log.answer(false, again.reply());
  CHECK(again.lines.size() > 100);
  CHECK(again.lines.size() < 200);
  CHECK(seq_of(again.lines.back()) == 3500);
}

TEST_CASE("each event is passed on once, by name, as what the clients hear") {
  Log log;
  log.log.record(exit_of(1));
  Listener client;
  log.log.answer(false, client.reply());
  REQUIRE(log.recorded.size() == 1);
  CHECK(log.recorded[0].first == "exit");
  CHECK(log.recorded[0].second == client.lines[0]);
}

TEST_CASE("what the core tells of becomes events") {
  using Kind = core::Note::Kind;
  constexpr const char* kWho = R"("role":"worker","slot":1,"worker":4,"pid":4711,"generation":2)";
  const auto line = [&](const std::string& name, const std::string& more) {
    return R"({"seq":17,"time":"2027-01-15T08:00:00.007Z","event":")" + name + "\"," + kWho + more +
           "}";
  };
  CHECK(json_of(note_of(Kind::forked)) == line("fork", ""));
  CHECK(json_of(note_of(Kind::online)) == line("online", ""));
  CHECK(json_of(note_of(Kind::drain)) == line("drain", ""));
  core::Note ready = note_of(Kind::ready);
  ready.time = 250ms;
  CHECK(json_of(ready) == line("ready", ",\"uptime_s\":0.25"));
  CHECK(json_of(note_of(Kind::backing_off)).empty());

  core::Note gone = note_of(Kind::gone);
  gone.status = {core::ExitStatus::Kind::signaled, 9, false, {}};
  gone.planned = true;
  gone.time = 2s;
  gone.why = "its time is over";
  CHECK(json_of(gone) == line("exit",
                              R"(,"signal":"KILL","planned":true,"uptime_s":2,)"
                              R"("reason":"killed by signal 9 (KILL), since its time is over")"));
  gone.status = {core::ExitStatus::Kind::exited, 3, false, {}};
  gone.why.clear();
  CHECK(json_of(gone) == line("exit", R"(,"code":3,"planned":true,"uptime_s":2,)"
                                      R"("reason":"exited with code 3")"));
  gone.child.role = Role::agent;
  CHECK(json_of(gone).find(R"("event":"agent_exit","role":"agent","pid":4711,"gen)") !=
        std::string::npos);
  CHECK_FALSE(to_event(note_of(Kind::forked), 0, Generation{1}).has_value());
}

}  // namespace clusterd::runtime
