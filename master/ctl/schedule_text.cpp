#include "master/ctl/schedule_text.h"

#include "config/words.h"
#include "master/ctl/age.h"
#include "master/ctl/table.h"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_to.hpp>

#include <cstdint>

namespace clusterd::ctl {
namespace {

using boost::json::object;
using boost::json::value;

std::string text(const value& content) {
  return content.is_string() ? config::escaped(std::string(content.as_string())) : "-";
}

std::string number(const value& content) {
  return std::to_string(content.to_number<std::uint64_t>());
}

std::string next_of(const object& schedule) {
  const value& left = schedule.at("next_in_s");
  return left.is_null() ? "-" : text_of(left.to_number<double>());
}

/// Nullptr if it has not run yet.
const object* last_of(const object& schedule) { return schedule.at("last").if_object(); }

std::string result_of(const object& schedule) {
  if (!schedule.at("running").as_array().empty()) return "running";
  const object* last = last_of(schedule);
  if (last == nullptr) return "-";
  std::string result = text(last->at("result"));
  if (result != "ok") return result;
  return result + ", " + number(last->at("ms")) + " ms";
}

std::string ago(const object& last) {
  return text_of(last.at("ago_s").to_number<double>()) + " ago";
}

}  // namespace

std::string schedule_text(const boost::json::array& schedules, bool colour) {
  if (schedules.empty()) return "there is no [[schedule]] in app.conf\n";
  Table table;
  for (const char* title : {"NAME", "WHEN", "TARGET", "NEXT IN", "LAST", "RESULT"}) {
    table.column(title, Table::Align::left);
  }
  for (const char* title : {"RUNS", "FAILED", "SKIPPED"}) table.column(title, Table::Align::right);
  std::string failures;
  for (const value& each : schedules) {
    const object& schedule = each.as_object();
    const object* last = last_of(schedule);
    table.row({text(schedule.at("name")), text(schedule.at("when")), text(schedule.at("target")),
               next_of(schedule), last == nullptr ? "-" : ago(*last), result_of(schedule),
               number(schedule.at("runs")), number(schedule.at("failed")),
               number(schedule.at("skipped"))});
    if (last == nullptr || !last->contains("error")) continue;
    failures +=
        text(schedule.at("name")) + " failed " + ago(*last) + ": " + text(last->at("error")) + "\n";
  }
  return table.text(colour) + failures;
}

}  // namespace clusterd::ctl
