#include "common/run_lines.h"

#include "common/protocol_line.h"

#include <utility>

namespace clusterd::protocol {
std::string reason_of(std::string text) {
  if (text.size() <= kLongestReason) return text;
  // It is UTF-8, and stays so.
  const auto goes_on = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; };
  std::size_t most = kLongestReason;
  while (most > 0 && goes_on(text[most])) --most;
  text.resize(most);
  return text;
}

std::string encode(const Handles& message) {
  JsonWriter json = begin("handles");
  json.member("schedule", message.schedule);
  return end(json);
}

std::string encode(const Ran& message) {
  JsonWriter json = begin("ran");
  json.member("run", message.run);
  if (!message.error.empty()) json.member("error", reason_of(message.error));
  return end(json);
}

std::string encode(const RunNow& message) {
  JsonWriter json = begin("run");
  json.member("run", message.run).member("schedule", message.schedule);
  json.key("data").raw(message.data);
  return end(json);
}

Result<Handles> decode_handles(const CheckedJson& json) {
  auto schedule = json.string("schedule");
  if (!schedule) return lacks("handles", "schedule");
  return Handles{std::move(*schedule)};
}

Result<Ran> decode_ran(const CheckedJson& json) {
  auto run = json.string("run");
  if (!run) return lacks("ran", "run");
  return Ran{std::move(*run), reason_of(json.string("error").value_or(""))};
}

Result<RunNow> decode_run_now(const CheckedJson& json) {
  auto run = json.string("run");
  auto schedule = json.string("schedule");
  if (!run) return lacks("run", "run");
  if (!schedule) return lacks("run", "schedule");
  RunNow message{std::move(*run), std::move(*schedule)};
  if (const JsonMember* data = json.find("data")) message.data = data->value;
  return message;
}

}  // namespace clusterd::protocol
