#include "master/runtime/control_answer.h"

namespace clusterd::runtime {
namespace {

std::string refusal(std::string_view why) {
  JsonWriter json;
  json.begin_object().member("ok", false).member("error", why).end_object();
  return json.take();
}

}  // namespace

std::string answer_line(std::string_view line, const VerbAnswer& answer) {
  const auto request = check_json(line);
  const auto verb = request ? request->string("verb") : std::nullopt;
  if (!verb) return refusal("a request is a line such as {\"verb\":\"status\"}");
  return answer(*verb, *request).value_or(refusal("no such verb: " + *verb));
}

}  // namespace clusterd::runtime
