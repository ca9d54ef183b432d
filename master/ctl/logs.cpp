#include "common/json.h"
#include "config/command_number.h"
#include "master/ctl/client.h"
#include "master/ctl/log_text.h"
#include "master/ctl/verbs.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace clusterd::ctl {
namespace {

bool colour_wanted() {
  const char* no_colour = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

std::string request_of(const config::LogsCommand& command) {
  JsonWriter json;
  json.begin_object().member("verb", "logs").member("lines", command.lines);
  json.member("follow", command.follow);
  if (const auto slot = config::parse_number(command.who)) {
    json.member("slot", slot->value);
  } else if (!command.who.empty()) {
    json.member("from", command.who);
  }
  json.end_object();
  return json.take();
}

}  // namespace

int run(const config::LogsCommand& command) {
  auto connected = Client::connect(command.target);
  if (const auto* failure = std::get_if<Failure>(&connected)) return report(*failure);
  const bool colour = colour_wanted();
  bool heard = true;
  const auto on_line = [&](std::string_view line) {
    const std::string text = (command.json ? std::string(line) : log_text(line, colour)) + "\n";
    // Each at once, since who reads may wait for it. Nobody reads: that is how "| head" ends.
    heard = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
    return heard;
  };
  const Request request{.verb = "logs",
                        .line = request_of(command),
                        .patient = command.follow,
                        .listener_fd = STDOUT_FILENO};
  const auto last = std::get<Client>(connected).converse(request, on_line);
  if (const auto* failure = std::get_if<Failure>(&last)) {
    return report({"logs: " + failure->text, failure->code});
  }
  const std::string& line = std::get<std::string>(last);
  if (!heard || line.empty()) return 0;
  const auto answer = check_json(line);
  if (answer->boolean("ok") == true) return 0;
  return report({"logs: " + answer->string("error").value_or("the master refused")});
}

int run(const config::ReopenCommand& command) {
  auto connected = Client::connect(command.target);
  if (const auto* failure = std::get_if<Failure>(&connected)) return report(*failure);
  const auto answer = std::get<Client>(connected).ask({"reopen", R"({"verb":"reopen"})"});
  if (const auto* failure = std::get_if<Failure>(&answer)) {
    return report({"reopen: " + failure->text, failure->code});
  }
  std::printf("%s\n",
              check_json(std::get<std::string>(answer))->string("text").value_or("").c_str());
  return 0;
}

}  // namespace clusterd::ctl
