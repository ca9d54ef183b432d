#include "common/json.h"
#include "master/ctl/verbs.h"
#include "master/ctl/verdict.h"

#include <string_view>

namespace clusterd::ctl {
namespace {

/// {"verb":"kill","slot":3}
std::string line_of(std::string_view verb, std::string_view key, int number) {
  JsonWriter json;
  return json.begin_object().member("verb", verb).member(key, number).end_object().take();
}

}  // namespace

int run(const config::ReloadCommand& command) {
  JsonWriter json;
  json.begin_object().member("verb", "reload").member("dry_run", command.dry_run).end_object();
  Deed deed{.verb = "reload", .line = json.take(), .wait = command.wait || command.dry_run};
  deed.only_looks = command.dry_run;
  if (!command.dry_run) {
    deed.fallen_back =
        "the old generation goes on serving; mend the cause, and \"clusterd reload\" again";
  }
  return carry_out(command.target, deed);
}

int run(const config::RestartCommand& command) {
  return carry_out(command.target,
                   {.verb = "restart",
                    .line = R"({"verb":"restart"})",
                    .wait = command.wait,
                    .fallen_back = "the workers that are not yet replaced go on serving; "
                                   "\"clusterd status\" shows them"});
}

int run(const config::ScaleCommand& command) {
  return carry_out(
      command.target,
      {.verb = "scale",
       .line = line_of("scale", command.relative ? "by" : "to", command.number),
       .wait = command.wait,
       .fallen_back = "the workers that are ready go on serving; \"clusterd status\" shows them"});
}

int run(const config::RecycleCommand& command) {
  return carry_out(command.target,
                   {.verb = "recycle",
                    .line = line_of("recycle", "slot", command.slot),
                    .fallen_back = "the slot's worker was not replaced, and goes on serving"});
}

int run(const config::KillCommand& command) {
  return carry_out(command.target, {.verb = "kill", .line = line_of("kill", "slot", command.slot)});
}

}  // namespace clusterd::ctl
