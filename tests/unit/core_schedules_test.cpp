#include "tests/support/schedule_stage.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <tuple>

using namespace clusterd;
using namespace clusterd::core::schedule;
using namespace clusterd::test;
using namespace std::chrono_literals;
using config::Schedule;

namespace {

Schedule with(Schedule schedule, Schedule::Overlap overlap, Duration timeout = 5min) {
  schedule.overlap = overlap;
  schedule.timeout = timeout;
  return schedule;
}

Schedule to(Schedule schedule, Schedule::Target target) {
  schedule.target = target;
  return schedule;
}

using Who = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("an interval is due again and again from the beginning on, one worker in turn") {
  ScheduleStage stage({every("tick", 10s)});
  stage.pass(60s);
  CHECK(stage.told.empty());
  stage.begin(3);
  stage.pass(9s);
  CHECK(stage.told.empty());
  for (int tick = 0; tick < 4; ++tick) {
    stage.pass(tick == 0 ? 1s : 10s);
    stage.answer(stage.told.back());
  }
  CHECK(stage.who() == Who{1, 2, 3, 1});
  CHECK(stage.count(Result::ok) == 4);
  CHECK(stage.entry().runs == 4);
  CHECK(stage.entry().failed == 0);
  std::set<RunId> ids;
  for (const Ended& each : stage.over) ids.insert(each.run);
  CHECK(ids.size() == 4);
}

TEST_CASE("immediate is once more, at the beginning") {
  Schedule first = every("tick", 10s);
  first.immediate = true;
  ScheduleStage stage({first});
  stage.begin(1);
  CHECK(stage.who() == Who{1});
}

TEST_CASE("all are told, and the run is over when the last has answered") {
  ScheduleStage stage({to(every("tick", 10s), Schedule::Target::all)});
  stage.begin(3);
  stage.pass(10s);
  REQUIRE(stage.who() == Who{1, 2, 3});
  CHECK(stage.told[0].run == stage.told[2].run);
  stage.answer(stage.told[2]);
  stage.answer(stage.told[0], "no network");
  CHECK(stage.over.empty());
  stage.answer(stage.told[1]);
  REQUIRE(stage.over.size() == 1);
  CHECK(stage.over[0].result == Result::error);
  CHECK(stage.over[0].receivers == 3);
  CHECK(stage.over[0].failed == 1);
  CHECK(stage.over[0].error == "worker 1: no network");
  CHECK_FALSE(stage.over[0].child.has_value());
}

TEST_CASE("who does not tell ends is told, and that is all") {
  ScheduleStage stage({to(every("tick", 10s), Schedule::Target::all)});
  stage.join(worker(1), false);
  stage.step(Begin{});
  stage.pass(10s);
  CHECK_FALSE(stage.told.at(0).as_run);
  CHECK(stage.count(Result::sent) == 1);
  stage.join(worker(2));
  stage.pass(10s);
  CHECK(stage.count(Result::sent) == 1);
  stage.answer(stage.told.at(2));
  CHECK(stage.count(Result::ok) == 1);
}

TEST_CASE("a name that no schedule can have is not remembered of who says that it handles it") {
  for (const std::size_t length : {64U, 65U}) {
    CAPTURE(length);
    ScheduleStage stage({every(std::string(length, 'x'), 10s)});
    stage.begin(1);
    stage.pass(10s);
    CHECK(stage.told.at(0).as_run == (length == 64));
  }
}

TEST_CASE("with nobody to tell a run has failed") {
  ScheduleStage stage({every("tick", 10s), to(every("all", 10s), Schedule::Target::all),
                       to(every("agent", 10s), Schedule::Target::agent)});
  stage.begin(0);
  stage.pass(10s);
  REQUIRE(stage.over.size() == 3);
  CHECK(stage.over[0].error == "no worker is ready");
  CHECK(stage.over[1].error == "no worker is ready");
  CHECK(stage.over[2].error == "no agent program is ready");
  stage.join(kAgent);
  stage.pass(10s);
  CHECK(stage.told.size() == 1);
  CHECK(stage.told[0].child == kAgent);
}

TEST_CASE("who has no room is passed over, and nobody is told twice") {
  ScheduleStage stage({every("tick", 10s)});
  stage.full = {worker(1), worker(2)};
  stage.begin(3);
  stage.pass(10s);
  CHECK(stage.who() == Who{3});
  stage.answer(stage.told[0]);
  stage.full.insert(worker(3));
  stage.pass(10s);
  REQUIRE(stage.over.size() == 2);
  CHECK(stage.over[1].error == "too much waits for each worker");
  CHECK(stage.over[1].receivers == 0);
}

TEST_CASE("a worker that dies ends its run, and one that leaves is told nothing new") {
  ScheduleStage stage({every("tick", 10s)});
  stage.begin(2);
  stage.pass(10s);
  stage.step(Left{worker(1)});
  CHECK(stage.over.empty());
  stage.step(Gone{worker(1)});
  REQUIRE(stage.over.size() == 1);
  CHECK(stage.over[0].error == "worker 1: ended before it was done");
  CHECK(stage.over[0].child == worker(1));
  stage.pass(10s);
  stage.answer(stage.told.back());
  stage.pass(10s);
  CHECK(stage.who() == Who{1, 2, 2});
}

TEST_CASE("an answer counts once, from who was told, and not when it is late") {
  ScheduleStage stage({with(every("tick", 10s), Schedule::Overlap::skip, 3s)});
  stage.begin(2);
  stage.pass(10s);
  stage.step(Answered{stage.told[0].run, worker(2), ""});
  stage.step(Answered{RunId{99}, worker(1), ""});
  CHECK(stage.over.empty());
  stage.pass(3s);
  REQUIRE(stage.over.size() == 1);
  CHECK(stage.over[0].error == "worker 1: no answer within its timeout");
  CHECK(stage.over[0].took == 3s);
  stage.answer(stage.told[0]);
  CHECK(stage.over.size() == 1);
}

TEST_CASE("D27: a job of 5 s each 2 s never runs twice at once, and what is left out is counted") {
  ScheduleStage stage({every("slow", 2s)});
  stage.begin(4);
  std::map<RunId, TimePoint> ends;
  std::size_t at_once = 0;
  for (int tenth = 0; tenth < 600; ++tenth) {
    const std::size_t before = stage.told.size();
    stage.pass(100ms);
    for (std::size_t at = before; at < stage.told.size(); ++at) {
      ends[stage.told[at].run] = stage.now.time + 5s;
    }
    at_once = std::max(at_once, stage.entry().running.size());
    for (const Tell& tell : std::vector(stage.told)) {
      if (ends.contains(tell.run) && ends[tell.run] <= stage.now.time) {
        ends.erase(tell.run);
        stage.answer(tell);
      }
    }
  }
  CHECK(at_once == 1);
  CHECK(stage.entry().runs + stage.entry().running.size() == 10);
  CHECK(stage.entry().skipped == 20);
  CHECK(stage.count(Result::skipped) == 20);
}

TEST_CASE("queue keeps one waiting, and allow lets them run side by side up to a bound") {
  ScheduleStage queue({with(every("tick", 1s), Schedule::Overlap::queue)});
  queue.begin(1);
  queue.pass(3s);
  CHECK(queue.told.size() == 1);
  CHECK(queue.entry().skipped == 1);
  queue.answer(queue.told[0]);
  CHECK(queue.told.size() == 2);
  queue.answer(queue.told[1]);
  CHECK(queue.count(Result::ok) == 2);

  ScheduleStage allow({with(every("tick", 1s), Schedule::Overlap::allow, 0s)});
  allow.begin(1);
  allow.pass(100s);
  CHECK(allow.told.size() == 64);
  CHECK(allow.entry().skipped == 36);
}

TEST_CASE("a run that is asked for is as one whose time has come") {
  ScheduleStage stage({every("tick", 10s), with(every("queue", 10s), Schedule::Overlap::queue)});
  stage.begin(1);
  stage.step(Requested{5, "tick"});
  const auto accepted = std::get<Accepted>(stage.actions.at(0));
  CHECK(accepted.ticket == 5);
  CHECK(accepted.run == stage.told.at(0).run);
  stage.step(Requested{6, "tick"});
  CHECK(std::get<Refused>(stage.actions.back()).why == "the run before is not over");
  CHECK(stage.entry().skipped == 0);
  stage.step(Requested{7, "tock"});
  CHECK(std::get<Refused>(stage.actions.back()).why ==
        "there is no schedule \"tock\"; there is \"tick\", \"queue\"");
  stage.step(Requested{8, "queue"});
  stage.step(Requested{9, "queue"});
  CHECK(std::get<Accepted>(stage.actions.back()).waits);
  stage.step(Requested{10, "queue"});
  CHECK(std::get<Refused>(stage.actions.back()).why.ends_with("and another one waits"));
}

TEST_CASE("what is due and asked for in one moment is one run") {
  ScheduleStage stage({by_cron("tick", "* * * * *"), every("tock", 10s)});
  stage.begin(1);
  stage.pass(60s);  // both are due at its end
  const std::size_t told = stage.told.size();
  stage.step(TimePassed{});
  stage.step(ClockSet{});
  for (const char* name : {"tick", "tock"}) {
    CAPTURE(name);
    stage.step(Requested{1, name});
    CHECK(std::get<Refused>(stage.actions.back()).why == "the run before is not over");
  }
  CHECK(stage.told.size() == told);
  CHECK(stage.entry(0).running.size() == 1);
  CHECK(stage.entry(1).running.size() == 1);
}

TEST_CASE("a command ends by itself or is killed at its timeout") {
  Schedule job = with(every("job", 10s), Schedule::Overlap::skip, 3s);
  job.target = Schedule::Target::command;
  ScheduleStage stage({job});
  stage.begin(0);
  stage.pass(10s);
  const RunId first = std::get<RunCommand>(stage.actions.back()).run;
  stage.step(CommandEnded{first, "exited with code 1", "no disk"});
  REQUIRE(stage.over.size() == 1);
  CHECK(stage.over[0].last_words == "no disk");
  stage.pass(13s);
  const auto ended = std::get<EndCommand>(stage.actions.back());
  CHECK(ended.now);
  CHECK(stage.over.size() == 1);
  stage.step(CommandEnded{ended.run, "killed by signal 9 (KILL)"});
  CHECK(stage.over.at(1).error == "not over within its timeout, and killed");
  stage.pass(10s);
  stage.step(Stop{});
  CHECK_FALSE(std::get<EndCommand>(stage.actions.back()).now);
}

TEST_CASE("what was missed by a stopped master is due once, and the beat stays") {
  ScheduleStage stage({every("tick", 10s)});
  stage.begin(1);
  stage.go_to(stage.now.time + 1005s);
  CHECK(stage.told.size() == 1);
  stage.answer(stage.told[0]);
  stage.pass(4s);
  CHECK(stage.told.size() == 1);
  stage.pass(1s);
  CHECK(stage.told.size() == 2);
}

TEST_CASE("a wall clock that leaps ahead, or a machine that slept, gives one run") {
  ScheduleStage stage({by_cron("minute", "* * * * *"), every("tick", 1h)});
  stage.begin(1);
  stage.pass(60s);
  CHECK(stage.told.size() == 1);
  stage.answer(stage.told[0]);
  stage.now.wall += 24h * 365;
  stage.step(ClockSet{});
  REQUIRE(stage.told.size() == 2);
  stage.answer(stage.told[1]);
  stage.step(ClockSet{});
  CHECK(stage.told.size() == 2);
  stage.pass(60s);
  CHECK(stage.told.size() == 3);
  CHECK(stage.entry(1).runs == 0);
}

TEST_CASE("a wall clock that is set back a little repeats nothing, and far back is believed") {
  ScheduleStage stage({by_cron("hourly", "0 * * * *")});
  stage.begin(1);
  stage.pass(1h);
  REQUIRE(stage.told.size() == 1);
  stage.answer(stage.told[0]);
  stage.now.wall -= 50min;
  stage.step(ClockSet{});
  stage.pass(109min);
  CHECK(stage.told.size() == 2);
  stage.answer(stage.told[1]);
  stage.now.wall -= 24h;
  stage.step(ClockSet{});
  stage.pass(1h);
  CHECK(stage.told.size() == 3);
}

TEST_CASE("a reload keeps what is the same, and loses no run") {
  ScheduleStage stage({every("tick", 10s), every("tock", 10s)});
  stage.begin(1);
  stage.pass(10s);
  REQUIRE(stage.told.size() == 2);
  stage.pass(5s);
  Schedule louder = every("tick", 10s);
  louder.data = "1";
  Schedule fresh = every("new", 3s);
  fresh.immediate = true;
  stage.step(Replaced{{louder, fresh}});
  // The new one is told at once, to a worker that does not know it.
  CHECK(stage.told.size() == 3);
  CHECK_FALSE(stage.told[2].as_run);
  REQUIRE(stage.core.entries().size() == 3);
  CHECK(stage.entry(2).removed);
  stage.answer(stage.told[1]);  // of tock
  CHECK(stage.core.entries().size() == 2);
  stage.answer(stage.told[0], "broken");
  CHECK(stage.entry().failed == 1);
  stage.pass(5s);  // the old beat
  CHECK(std::count_if(stage.told.begin(), stage.told.end(), [](const Tell& tell) {
          return tell.schedule->name == "tick" && tell.schedule->data == "1";
        }) == 1);
  // Another interval begins anew.
  stage.answer(stage.told.back());
  stage.step(Replaced{{every("tick", 20s)}});
  CHECK(stage.core.entries().size() == 1);
  const std::size_t before = stage.told.size();
  stage.pass(19s);
  CHECK(stage.told.size() == before);
}

TEST_CASE("a reload that takes a schedule away ends who waits, and gives it back with its run") {
  const Schedule tick = with(every("tick", 1s), Schedule::Overlap::queue);
  ScheduleStage stage({tick});
  stage.begin(1);
  stage.pass(2s);
  stage.step(Replaced{{}});
  REQUIRE(stage.over.size() == 1);
  CHECK(stage.over[0].result == Result::skipped);
  CHECK(stage.over[0].run != RunId{0});
  stage.step(Replaced{{tick}});
  REQUIRE(stage.core.entries().size() == 1);
  CHECK(stage.entry().running.size() == 1);
  stage.answer(stage.told[0]);
  CHECK(stage.count(Result::ok) == 1);
}

TEST_CASE("a stop begins nothing any more") {
  ScheduleStage stage({every("tick", 1s), by_cron("minute", "* * * * *")});
  stage.begin(1);
  stage.pass(1s);
  stage.step(Stop{});
  stage.pass(1h);
  CHECK(stage.told.size() == 1);
  CHECK_FALSE(stage.core.next_time().has_value());
  CHECK_FALSE(stage.core.next_wall().has_value());
  stage.step(Requested{1, "tick"});
  CHECK(std::get<Refused>(stage.actions.back()).why == "the cluster stops");
  stage.step(ClockSet{});
  CHECK(stage.told.size() == 1);
}

TEST_CASE("only a change of the outcome is news") {
  ScheduleStage stage({every("tick", 1s)});
  stage.begin(1);
  std::vector<bool> news;
  for (const char* error : {"", "", "a", "b", ""}) {
    stage.pass(1s);
    stage.answer(stage.told.back(), error);
    news.push_back(stage.over.back().news);
  }
  CHECK(news == std::vector{true, false, true, false, true});
}

namespace {

/// Workers and an agent that come and go by chance while two schedules run.
struct Unrest {
  ScheduleStage stage{{every("tick", 1s), to(every("agent", 1s), Schedule::Target::agent)}};
  std::mt19937_64 random{28};
  std::vector<ChildId> alive{};
  std::uint32_t next = 1;
  std::size_t answered = 0;

  bool one_in(unsigned count) { return random() % count == 0; }
  void come() {
    alive.push_back(worker(next++));
    stage.join(alive.back());
  }
  /// Each run that was told ends, or its worker does.
  void answer() {
    while (answered < stage.told.size()) {
      const Tell tell = stage.told[answered++];
      if (tell.child.role != Role::worker || !one_in(10)) {
        stage.answer(tell);
        continue;
      }
      stage.step(Gone{tell.child});
      std::erase(alive, tell.child);
      come();
    }
  }
  void replace_all() {
    for (const ChildId old : alive) stage.step(Left{old});
    for (const ChildId old : std::exchange(alive, {})) stage.step(Gone{old});
    for (int worker = 0; worker < 3; ++worker) come();
  }
  void restart_agent() {
    stage.step(Gone{kAgent});
    stage.join(kAgent);
  }
};

}  // namespace

TEST_CASE("D28: each tick is one run of one worker, whatever becomes of workers meanwhile") {
  Unrest unrest;
  unrest.come();
  unrest.come();
  unrest.stage.join(kAgent);
  unrest.stage.step(Begin{});
  for (int tick = 0; tick < 10000; ++tick) {
    unrest.stage.pass(1s);
    unrest.answer();
    if (unrest.one_in(20)) unrest.replace_all();
    if (unrest.one_in(20)) unrest.restart_agent();
  }
  std::map<RunId, int> told;
  for (const Tell& tell : unrest.stage.told) ++told[tell.run];
  for (const auto& [run, times] : told) REQUIRE(times == 1);
  CHECK(told.size() == 20000);
  CHECK(unrest.stage.over.size() == 20000);
  CHECK(unrest.stage.count(Result::skipped) == 0);
}
