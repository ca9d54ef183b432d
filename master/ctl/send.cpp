#include "common/envelope.h"
#include "common/json.h"
#include "common/protocol.h"
#include "config/words.h"
#include "master/ctl/client.h"
#include "master/ctl/verbs.h"

#include <cstdio>
#include <string>

namespace clusterd::ctl {
namespace {

/// The control protocol's line is an envelope with a verb.
std::string line_of(const config::SendCommand& command, const std::string& data) {
  std::string line = seal_envelope({command.action, command.to, data});
  JsonWriter json;
  json.begin_object().member("verb", "send");
  if (command.timeout_ms) json.member("timeout_ms", *command.timeout_ms);
  return json.take() + "," + line.substr(1, line.size() - 2);
}

}  // namespace

int run(const config::SendCommand& command) {
  JsonError wrong;
  const auto data = on_one_line(command.json.empty() ? "null" : command.json, &wrong);
  if (!data) {
    return report({"send: the data is no JSON: " + std::string(wrong.what) + " at byte " +
                       std::to_string(wrong.offset) + " of " + config::in_quotes(command.json),
                   kExitUsage});
  }
  const std::string line = line_of(command, *data);
  if (line.size() > protocol::kLongestLine) {
    return report({"send: the message is too long: with all that it needs it has " +
                       std::to_string(line.size()) + " bytes, and " +
                       std::to_string(protocol::kLongestLine) + " are allowed",
                   kExitUsage});
  }
  auto client = Client::connect(command.target);
  if (const auto* failure = std::get_if<Failure>(&client)) return report(*failure);
  const auto answered = std::get<Client>(client).ask(
      {.verb = "send", .line = line, .patient = command.timeout_ms.has_value()});
  if (const auto* failure = std::get_if<Failure>(&answered)) return report(*failure);
  const auto answer = check_json(std::get<std::string>(answered));
  const JsonMember* replied = answer ? answer->find("data") : nullptr;
  if (replied != nullptr) {
    std::printf("%.*s\n", static_cast<int>(replied->value.size()), replied->value.data());
  } else {
    const std::string text = answer ? answer->string("text").value_or("") : "";
    std::puts(config::escaped(text.empty() ? "sent" : text).c_str());
  }
  return 0;
}

}  // namespace clusterd::ctl
