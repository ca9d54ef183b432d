// Any bytes on the control socket: each line is answered with one line of JSON, as ControlServer
// and Supervisor answer it.
#include "common/json.h"
#include "common/line_reader.h"
#include "tests/fuzz/fuzz.h"

#include <string>

namespace clusterd::fuzz {
namespace {

constexpr std::size_t kLongestRequest = 4096;

std::string answer(std::string_view line) {
  const auto request = check_json(line);
  const auto verb = request ? request->string("verb") : std::nullopt;
  JsonWriter json;
  json.begin_object();
  if (verb == "stop") {
    json.member("ok", true).member("now", request->boolean("now").value_or(false));
  } else if (verb == "status") {
    json.member("ok", true).key("status").raw("{}");
  } else {
    json.member("ok", false).member("error", "no such verb: " + verb.value_or(""));
  }
  json.end_object();
  return json.take();
}

void must_be_an_answer(const std::string& text) {
  must(text.find('\n') == std::string::npos, "an answer is one line");
  const auto json = check_json(text);
  must(json && json->boolean("ok"), "an answer says whether it went well");
  must(*json->boolean("ok") || json->string("error"), "an answer says what went wrong");
}

}  // namespace

void try_input(std::string_view input) {
  LineReader reader(kLongestRequest);
  Decisions decisions(input);
  while (!decisions.none_left() && !reader.too_long()) {
    reader.add(decisions.take(1000));
    while (const auto line = reader.next()) must_be_an_answer(answer(*line));
  }
}

}  // namespace clusterd::fuzz
