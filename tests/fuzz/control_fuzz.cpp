// Any bytes on the control socket: each line is answered with one line of JSON, and only a request
// reaches who knows the verbs.
#include "common/line_reader.h"
#include "master/runtime/control_answer.h"
#include "tests/fuzz/fuzz.h"

#include <string>

namespace clusterd::fuzz {
namespace {

constexpr std::size_t kLongestRequest = 4096;

/// As the supervisor: it looks at a member of the request, and knows two verbs.
std::optional<std::string> answer(const std::string& verb, const CheckedJson& request) {
  must(request.string("verb") == verb, "a verb is the request's own");
  if (verb == "status") return "{\"ok\":true,\"status\":{}}";
  if (verb != "stop") return std::nullopt;
  JsonWriter json;
  json.begin_object().member("ok", true);
  json.member("now", request.boolean("now").value_or(false)).end_object();
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
    while (const auto line = reader.next()) must_be_an_answer(runtime::answer_line(*line, answer));
  }
}

}  // namespace clusterd::fuzz
