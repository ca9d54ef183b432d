#include "master/ctl/schedule_text.h"

#include "master/runtime/schedule_report.h"
#include "tests/support/schedule_stage.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace clusterd;
using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

std::string report(const ScheduleStage& stage) {
  return runtime::schedule_report(stage.core.entries(), stage.now, [](RunId run) {
    return "m-" + std::to_string(static_cast<std::uint64_t>(run));
  });
}

std::string table(const ScheduleStage& stage) {
  const boost::json::object answer = boost::json::parse(report(stage)).as_object();
  return ctl::schedule_text(answer.at("schedules").as_array(), false);
}

}  // namespace

TEST_CASE("schedules are a table, with why the last one failed below it") {
  ScheduleStage stage({every("tick", 10s), by_cron("daily", "@daily"), every("off", 24h)});
  stage.begin(1);
  stage.pass(10s);
  CHECK(table(stage) ==
        "NAME   WHEN       TARGET  NEXT IN  LAST  RESULT   RUNS  FAILED  SKIPPED\n"
        "tick   every 10s  one     10 s     -     running     0       0        0\n"
        "daily  @daily     one     9h 46m   -     -           0       0        0\n"
        "off    every 1d   one     23h 59m  -     -           0       0        0\n");
  stage.answer(stage.told.at(0));
  stage.step(core::schedule::Requested{1, "off"});
  stage.answer(stage.told.at(1), "no \x1b[1m disk");
  stage.pass(5s);
  CHECK(table(stage) ==
        "NAME   WHEN       TARGET  NEXT IN  LAST       RESULT    RUNS  FAILED  SKIPPED\n"
        "tick   every 10s  one     5.0 s    5.0 s ago  ok, 0 ms     1       0        0\n"
        "daily  @daily     one     9h 46m   -          -            0       0        0\n"
        "off    every 1d   one     23h 59m  5.0 s ago  error        1       1        0\n"
        "off failed 5.0 s ago: worker 1: no \\x1b[1m disk\n");
  CHECK(ctl::schedule_text({}, false) == "there is no [[schedule]] in app.conf\n");
}

TEST_CASE("a schedule that is not due any more has no next run") {
  ScheduleStage stage({every("tick", 10s)});
  CHECK(report(stage) ==
        R"({"ok":true,"schedules":[{"name":"tick","when":"every 10s","target":"one",)"
        R"("next_in_s":null,"running":[],"last":null,"runs":0,"failed":0,"skipped":0}]})");
  stage.begin(1);
  stage.pass(10s);
  const auto one = boost::json::parse(report(stage)).at("schedules").at(0);
  CHECK(one.at("running").at(0) == "m-1");
}
