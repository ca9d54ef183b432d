#include "common/json.h"
#include "master/ctl/client.h"
#include "master/ctl/colour.h"
#include "master/ctl/schedule_text.h"
#include "master/ctl/verbs.h"
#include "master/ctl/verdict.h"

#include <boost/json/parse.hpp>

#include <cstdio>

namespace clusterd::ctl {
namespace {

int list(const config::ScheduleCommand& command) {
  auto connected = Client::connect(command.target);
  if (const auto* failure = std::get_if<Failure>(&connected)) return report(*failure);
  auto answer = std::get<Client>(connected).ask({"schedules", R"({"verb":"schedules"})"});
  if (const auto* failure = std::get_if<Failure>(&answer)) return report(*failure);
  const std::string& line = std::get<std::string>(answer);
  const auto object = check_json(line);
  const JsonMember* all = object ? object->find("schedules") : nullptr;
  if (all == nullptr || all->kind != JsonKind::array) {
    return report({"the master's answer has no schedules", kExitInternal});
  }
  const std::string text =
      command.json ? std::string(all->value) + "\n"
                   : schedule_text(boost::json::parse(all->value).as_array(), colour_wanted());
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace

int run(const config::ScheduleCommand& command) {
  if (command.run.empty()) return list(command);
  JsonWriter json;
  json.begin_object().member("verb", "run").member("schedule", command.run).end_object();
  return carry_out(command.target, {.verb = "schedule", .line = json.take(), .wait = command.wait});
}

}  // namespace clusterd::ctl
