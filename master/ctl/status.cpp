#include "common/json.h"
#include "master/ctl/client.h"
#include "master/ctl/colour.h"
#include "master/ctl/status_text.h"
#include "master/ctl/verbs.h"

#include <boost/json/parse.hpp>

#include <cstdio>

namespace clusterd::ctl {
int run(const config::StatusCommand& command) {
  auto connected = Client::connect(command.target);
  if (const auto* failure = std::get_if<Failure>(&connected)) return report(*failure);
  auto answer = std::get<Client>(connected).ask({"status", "{\"verb\":\"status\"}"});
  if (const auto* failure = std::get_if<Failure>(&answer)) return report(*failure);
  const std::string& line = std::get<std::string>(answer);
  const auto object = check_json(line);
  const JsonMember* status = object ? object->find("status") : nullptr;
  if (status == nullptr || status->kind != JsonKind::object) {
    return report({"the master's answer has no status", kExitInternal});
  }
  // The document itself is passed on as it came: a number is not rounded on the way.
  const std::string text =
      command.json ? std::string(status->value) + "\n"
                   : status_text(boost::json::parse(status->value).as_object(), colour_wanted());
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace clusterd::ctl
