#include "master/runtime/schedule_report.h"

#include "common/json.h"
#include "config/quantity.h"
#include "master/runtime/describe.h"

namespace clusterd::runtime {
namespace {

using core::schedule::Result;
using Target = config::Schedule::Target;

void add_last(JsonWriter& json, const core::Schedules::Last& last, const core::Moment& now) {
  using std::chrono::milliseconds;
  json.begin_object().member("result", result_name(last.result));
  json.member("ago_s", seconds(std::chrono::duration_cast<Duration>(now.wall - last.at)));
  json.member("ms", std::int64_t{last.took / milliseconds(1)});
  if (!last.error.empty()) json.member("error", last.error);
  json.end_object();
}

}  // namespace

const char* target_name(Target target) {
  switch (target) {
    case Target::one:
      return "one";
    case Target::all:
      return "all";
    case Target::agent:
      return "agent";
    case Target::command:
      break;
  }
  return "command";
}

const char* result_name(Result result) {
  switch (result) {
    case Result::ok:
      return "ok";
    case Result::error:
      return "error";
    case Result::sent:
      return "sent";
    case Result::skipped:
      break;
  }
  return "skipped";
}

std::string schedule_report(const std::vector<core::Schedules::Entry>& entries,
                            const core::Moment& now,
                            const std::function<std::string(core::schedule::RunId)>& text_of) {
  JsonWriter json;
  json.begin_object().member("ok", true).key("schedules").begin_array();
  for (const auto& entry : entries) {
    const config::Schedule& schedule = *entry.settings;
    json.begin_object().member("name", schedule.name);
    json.member("when", schedule.cron ? schedule.cron_text
                                      : "every " + config::duration_text(schedule.every));
    json.member("target", target_name(schedule.target)).key("next_in_s");
    if (const auto left = entry.due.left(now)) {
      json.value(seconds(*left));
    } else {
      json.null();
    }
    json.key("running").begin_array();
    for (const auto run : entry.running) json.value(text_of(run));
    json.end_array().key("last");
    if (entry.last) {
      add_last(json, *entry.last, now);
    } else {
      json.null();
    }
    json.member("runs", entry.runs).member("failed", entry.failed);
    json.member("skipped", entry.skipped).end_object();
  }
  return json.end_array().end_object().take();
}

void answer_run(const Reply& reply, const core::schedule::Ended& ended, const std::string& run) {
  const std::string who = ended.child ? " (" + to_string(*ended.child) + ")" : "";
  JsonWriter json;
  json.begin_object();
  switch (ended.result) {
    case Result::ok:
      json.member("ok", true)
          .member("text", "run " + run + who + " went well and took " + describe(ended.took));
      break;
    case Result::sent:
      json.member("ok", true)
          .member("text", "run " + run + who + " was told; the program does not say how it ends");
      break;
    case Result::error:
      json.member("ok", false)
          .member("error",
                  "run " + run + " failed after " + describe(ended.took) + ": " + ended.error);
      break;
    case Result::skipped:
      json.member("ok", false).member("error", "run " + run + " did not begin: " + ended.error);
      break;
  }
  if (!ended.last_words.empty()) json.member("stderr", ended.last_words);
  reply.finish(json.end_object().take());
}

}  // namespace clusterd::runtime
