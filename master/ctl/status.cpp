#include "master/ctl/client.h"
#include "master/ctl/status_text.h"
#include "master/ctl/verbs.h"

#include <unistd.h>

#include <boost/json/serialize.hpp>

#include <cstdio>
#include <cstdlib>

namespace clusterd::ctl {
namespace {

bool colour_wanted() {
  const char* no_colour = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

}  // namespace

int run_status(const config::StatusCommand& command) {
  auto connected = Client::connect(command.target);
  if (const auto* failure = std::get_if<Failure>(&connected)) return report(*failure);
  auto answer = std::get<Client>(connected).ask("{\"verb\":\"status\"}\n");
  if (const auto* failure = std::get_if<Failure>(&answer)) return report(*failure);
  const auto& status = std::get<boost::json::value>(answer).at("status");
  const std::string text = command.json ? boost::json::serialize(status) + "\n"
                                        : status_text(status.as_object(), colour_wanted());
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace clusterd::ctl
