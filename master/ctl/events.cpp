#include "common/json.h"
#include "master/ctl/client.h"
#include "master/ctl/verbs.h"

#include <cstdio>
#include <unistd.h>

namespace clusterd::ctl {

int run(const config::EventsCommand& command) {
  auto connected = Client::connect(command.target);
  if (const auto* failure = std::get_if<Failure>(&connected)) return report(*failure);
  bool heard = true;
  bool stopping = false;
  const auto on_line = [&](std::string_view line) {
    const std::string text = std::string(line) + "\n";
    stopping = check_json(line)->string("event") == "stop";
    // Each at once, since who reads may wait for it. Nobody reads: that is how "| head" ends.
    heard = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
    return heard;
  };
  JsonWriter json;
  json.begin_object().member("verb", "events").member("follow", command.follow).end_object();
  const Request request{.verb = "events",
                        .line = json.take(),
                        .patient = command.follow,
                        .listener_fd = STDOUT_FILENO};
  const auto last = std::get<Client>(connected).converse(request, on_line);
  if (const auto* failure = std::get_if<Failure>(&last)) {
    // Who follows a cluster to its end has missed nothing.
    return stopping ? 0 : report({"events: " + failure->text, failure->code});
  }
  const std::string& line = std::get<std::string>(last);
  if (!heard || line.empty()) return 0;
  const auto answer = check_json(line);
  if (answer->boolean("ok") == true) return 0;
  return report({"events: " + answer->string("error").value_or("the master refused")});
}

}  // namespace clusterd::ctl
